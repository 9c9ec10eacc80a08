-- A few at a time, passing over what a writer holds, so that no writer waits for it.
DELETE FROM {schema}.keys AS k
 WHERE (k.stream_id, k.key) IN (
      SELECT expired.stream_id, expired.key
        FROM {schema}.keys AS expired
       WHERE expired.expires_at <= clock_timestamp()
       ORDER BY expired.expires_at
       LIMIT $1
         FOR UPDATE SKIP LOCKED
 )
