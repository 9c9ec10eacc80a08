SELECT stream.id, head.stream_version, head.position, head.recorded_at, clock_timestamp() AS now_at
  FROM unnest($1::text[]) AS stream (id)
  LEFT JOIN LATERAL (
      SELECT e.stream_version, e.position, e.recorded_at
        FROM {schema}.events AS e
       WHERE e.stream_id = stream.id
       ORDER BY e.stream_version DESC
       LIMIT 1
  ) AS head ON true
