INSERT INTO {schema}.snapshots AS s (stream_id, snapshot_version, stream_version, event_id, fingerprint, data, saved_at)
VALUES ($1, $2, $3, $4, $5, $6::json, clock_timestamp())
    ON CONFLICT (stream_id, snapshot_version) DO UPDATE
   SET stream_version = excluded.stream_version, event_id = excluded.event_id, fingerprint = excluded.fingerprint,
       data = excluded.data, saved_at = excluded.saved_at
