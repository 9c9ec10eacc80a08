SELECT e.event_id, e.stream_id, e.stream_version, e.position, e.recorded_at
  FROM {schema}.events AS e
 WHERE e.event_id = ANY ($1)
