SELECT s.stream_version, s.event_id, s.fingerprint, s.data
  FROM {schema}.snapshots AS s
 WHERE s.stream_id = $1 AND s.snapshot_version = $2
