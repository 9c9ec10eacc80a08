-- Under one epoch it never goes back; under a new one, its owner begins where it wants to.
UPDATE {schema}.checkpoints AS c
   SET position = $5, moved_in = $4, moved_by = $6
 WHERE c.name = $1 AND c.version = $2 AND c.shard = $3 AND c.epoch = $4 AND c.owner IS NOT NULL
   AND (c.moved_in < $4 OR c.position <= $5)
