SELECT s.stream_id, s.snapshot_version, s.stream_version, s.saved_at, octet_length(s.data::text)::bigint AS bytes
  FROM {schema}.snapshots AS s
 WHERE (s.stream_id, s.snapshot_version) > ($1, $2)
 ORDER BY s.stream_id, s.snapshot_version
 LIMIT $3
