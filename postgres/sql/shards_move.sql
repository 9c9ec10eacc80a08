-- The first move under a new epoch may go anywhere: whoever takes a lease begins here.
UPDATE {schema}.checkpoints AS c
   SET position = m.position
  FROM unnest($3::bigint[], $4::bigint[]) AS m (shard, position)
 WHERE c.name = $1 AND c.version = $2 AND c.shard = m.shard
