-- A few at a time, passing over what a writer holds, so that no writer waits for it.
DELETE FROM {schema}.snapshots AS s
 WHERE (s.stream_id, s.snapshot_version) IN (
      SELECT old.stream_id, old.snapshot_version
        FROM {schema}.snapshots AS old
       WHERE old.saved_at < clock_timestamp() - $2 * interval '1 microsecond'
       ORDER BY old.saved_at
       LIMIT $1
         FOR UPDATE SKIP LOCKED
 )
