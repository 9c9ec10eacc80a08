-- A lease that was given up is held until -infinity.
SELECT c.name, c.version, c.shard, c.position, c.owner, c.epoch,
       CASE WHEN c.held_until > clock_timestamp()
            THEN (extract(epoch FROM c.held_until - clock_timestamp()) * 1000000)::bigint
            ELSE 0 END AS left_micros
  FROM {schema}.checkpoints AS c
 ORDER BY c.name, c.version, c.shard
