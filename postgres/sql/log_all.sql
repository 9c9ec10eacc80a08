SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data, e.metadata, e.stream_id
  FROM {schema}.events AS e
 WHERE e.position > $1 AND e.position <= $2
 ORDER BY e.position
 LIMIT $3
