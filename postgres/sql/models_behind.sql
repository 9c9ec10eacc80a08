-- What a checkpoint tells that is beyond the log's end, nobody can come up to. A slice may be further on than its shard: $5.
WITH held AS (
    SELECT c.name, c.position FROM {schema}.checkpoints AS c
     WHERE c.name IN ($1, $3) AND c.version = $2
     ORDER BY c.name, c.shard
       FOR UPDATE
)
SELECT greatest(coalesce(max(h.position) FILTER (WHERE h.name = $3 AND h.position <= $4), 0), $5)
       > coalesce(min(h.position) FILTER (WHERE h.name = $1), 0)
  FROM held AS h
