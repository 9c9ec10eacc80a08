SELECT c.epoch, c.owner IS NOT NULL AS is_held
  FROM {schema}.checkpoints AS c
 WHERE c.name = $1 AND c.version = $2 AND c.shard = $3
   FOR UPDATE
