SELECT p.key, p.position, p.stream_id, p.event_type, p.error, p.attempts, p.parked_at, p.retry_at
  FROM {schema}.parked AS p
 WHERE p.name = $1 AND p.version = $2 AND p.shard = $3 AND ($4::text IS NULL OR p.key = $4)
