UPDATE {schema}.checkpoints AS c
   SET position = $5
 WHERE c.name = $1 AND c.version = $2 AND c.shard = $3 AND c.epoch = $4 AND c.owner IS NOT NULL
