-- Those of which the stream has as many of higher versions as are kept; a few at a time, passing over what a writer holds.
DELETE FROM {schema}.snapshots AS s
 WHERE (s.stream_id, s.snapshot_version) IN (
      SELECT surplus.stream_id, surplus.snapshot_version
        FROM {schema}.snapshots AS surplus
       WHERE EXISTS (
            SELECT FROM {schema}.snapshots AS higher
             WHERE higher.stream_id = surplus.stream_id AND higher.snapshot_version > surplus.snapshot_version
            OFFSET $2 - 1
       )
       LIMIT $1
         FOR UPDATE SKIP LOCKED
 )
