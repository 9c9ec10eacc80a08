-- A snapshot beside the first event of what is read: the one that it contains last, or if the stream has no such event, the
-- first of all.
WITH kept AS (
    SELECT s.stream_version, s.event_id, s.fingerprint, s.data
      FROM {schema}.snapshots AS s
     WHERE s.stream_id = $1 AND s.snapshot_version = $2
), first AS (
    SELECT coalesce(
        (SELECT e.stream_version
           FROM kept AS k
           JOIN {schema}.events AS e ON e.stream_id = $1 AND e.stream_version = k.stream_version
          WHERE e.stream_version >= $3), $3) AS stream_version
)
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data::text AS data, e.metadata::text AS metadata,
       k.stream_version AS kept_version, k.event_id AS kept_event, k.fingerprint, k.data::text AS kept
  FROM {schema}.events AS e
  LEFT JOIN kept AS k ON e.stream_version = (SELECT f.stream_version FROM first AS f)
 WHERE e.stream_id = $1 AND e.stream_version >= (SELECT f.stream_version FROM first AS f)
 ORDER BY e.stream_version
 LIMIT $4
