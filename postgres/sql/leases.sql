-- One that was given up has no owner.
SELECT c.name, c.version, c.shard, c.owner, c.epoch,
       greatest(0, extract(epoch FROM c.held_until - clock_timestamp()) * 1000000)::bigint AS left_micros
  FROM {schema}.checkpoints AS c
 WHERE starts_with(c.name, $1) AND c.owner IS NOT NULL
 ORDER BY c.name, c.version, c.shard
