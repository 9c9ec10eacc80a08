-- One look into the index for each stream, however long it is.
WITH RECURSIVE heads AS (
    (SELECT e.stream_id, e.stream_version, e.recorded_at
       FROM {schema}.events AS e
      WHERE e.stream_id = (SELECT min(n.stream_id) FROM {schema}.events AS n WHERE n.stream_id > $1)
      ORDER BY e.stream_version DESC
      LIMIT 1)
     UNION ALL
    SELECT next.stream_id, next.stream_version, next.recorded_at
      FROM heads AS head
     CROSS JOIN LATERAL (
           SELECT e.stream_id, e.stream_version, e.recorded_at
             FROM {schema}.events AS e
            WHERE e.stream_id = (SELECT min(n.stream_id) FROM {schema}.events AS n WHERE n.stream_id > head.stream_id)
            ORDER BY e.stream_version DESC
            LIMIT 1
     ) AS next
)
SELECT head.stream_id, head.stream_version, head.stream_version AS events, head.recorded_at FROM heads AS head LIMIT $2
