SELECT c.epoch, c.owner IS NOT NULL AS is_held, c.moved_in, coalesce(c.position, 0) AS position, c.moved_by
  FROM {schema}.checkpoints AS c
 WHERE c.name = $1 AND c.version = $2 AND c.shard = $3
