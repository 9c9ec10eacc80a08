UPDATE {schema}.checkpoints AS c
   SET owner = NULL, held_until = '-infinity'
 WHERE c.name = $1 AND c.version = $2 AND c.shard = $3 AND c.epoch = $4
