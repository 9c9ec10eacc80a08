-- The first event of each key failed, the others wait behind it.
SELECT p.name, p.version, p.shard, p.key, p.position, p.stream_id, p.event_type, p.error, p.attempts, p.parked_at, p.retry_at,
       p.events
  FROM (
       SELECT DISTINCT ON (q.name, q.version, q.shard, q.key_hash)
              q.name, q.version, q.shard, q.key, q.position, q.stream_id, q.event_type, q.error, q.attempts, q.parked_at,
              q.retry_at, count(*) OVER (PARTITION BY q.name, q.version, q.shard, q.key_hash) AS events
         FROM {schema}.parked AS q
        WHERE starts_with(q.name, $1)
        ORDER BY q.name, q.version, q.shard, q.key_hash, q.position
  ) AS p
 ORDER BY p.parked_at, p.position, p.key
 LIMIT $2
