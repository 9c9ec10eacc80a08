-- A snapshot beside the first event of what is read: the one that it contains last. Of a stream that has no such event, the snapshot's
-- version comes without its data, and the stream has to be read from its beginning. At least one row comes, without an event if
-- there is none.
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data, CASE WHEN $5 THEN e.metadata END AS metadata,
       k.stream_version AS kept_version, k.event_id AS kept_event, k.fingerprint,
       CASE WHEN e.stream_version = greatest(k.stream_version, $3) THEN k.data END AS kept
  FROM (VALUES (1)) AS asked
  LEFT JOIN {schema}.snapshots AS k ON k.stream_id = $1 AND k.snapshot_version = $2
  LEFT JOIN LATERAL (
      SELECT *
        FROM {schema}.events AS of_stream
       WHERE of_stream.stream_id = $1 AND of_stream.stream_version >= greatest(k.stream_version, $3)
       ORDER BY of_stream.stream_version
       LIMIT $4
  ) AS e ON true
 ORDER BY e.stream_version
