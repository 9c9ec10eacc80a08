SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data, CASE WHEN $5 THEN e.metadata END AS metadata
  FROM {schema}.events AS e
 WHERE e.stream_id = $1 AND e.stream_version >= $2 AND e.stream_version <= $3
 ORDER BY e.stream_version
 LIMIT $4
