-- As the index has them, so that nothing is sorted. In rows: with the name by itself, the log is walked in its order, since nothing
-- tells how rare a name is that is yet to come.
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data, e.metadata, e.stream_id
  FROM {schema}.events AS e
 WHERE (e.event_type, e.position) > ($4::text, $1)
   AND (e.event_type, e.position) <= ($4::text, $2)
 ORDER BY e.event_type, e.position
 LIMIT $3
