-- What `append_events` does, for one event: without the arrays, which cost the server as much as the row. The clock is asked with the
-- lock held, as there.
INSERT INTO {schema}.events
    (position, stream_id, stream_version, category, event_id, event_type, schema_version, readable_from, data, metadata,
     recorded_at)
SELECT nextval('{schema}.positions'), $1, coalesce(before.stream_version, 0) + 1, $2, $4, $5, $6, $7, $8::json, $9::json,
       greatest(before.recorded_at, clock_timestamp())
  FROM (
      SELECT pg_advisory_xact_lock_shared(
                 ({namespace}::bigint << 48) | CASE WHEN p.is_called THEN p.last_value ELSE 0 END
             )::text = '' AS is_held
        FROM {schema}.positions AS p
      OFFSET 0
  ) AS held
  LEFT JOIN LATERAL (
      SELECT e.stream_version, e.recorded_at
        FROM {schema}.events AS e
       WHERE e.stream_id = $1
       ORDER BY e.stream_version DESC
       LIMIT 1
  ) AS before ON true
 WHERE held.is_held AND ($3 IS NULL OR $3 = coalesce(before.stream_version, 0))
RETURNING position, stream_version, recorded_at
