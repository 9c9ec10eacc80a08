-- Each stream is read from its own part of the index, never more than a page of it, whatever the planner makes of it: along
-- a stream versions have no gaps and positions rise with them, so that the page is a range of versions. Where it begins is
-- found by halving; at the stream's end, by one look.
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data, e.metadata, e.stream_id
  FROM unnest($4::text[]) AS asked (stream_id)
 CROSS JOIN LATERAL (
      WITH RECURSIVE halved (low, high) AS (
          (SELECT CASE WHEN head.position <= $1 THEN head.stream_version ELSE 0 END, head.stream_version
             FROM {schema}.events AS head
            WHERE head.stream_id = asked.stream_id
            ORDER BY head.stream_version DESC
            LIMIT 1)
           UNION ALL
          SELECT CASE WHEN middle.is_read THEN middle.version ELSE halved.low END,
                 CASE WHEN middle.is_read THEN halved.high ELSE middle.version - 1 END
            FROM halved
           CROSS JOIN LATERAL (
                SELECT probe.stream_version AS version, probe.position <= $1 AS is_read
                  FROM {schema}.events AS probe
                 WHERE probe.stream_id = asked.stream_id
                   AND probe.stream_version = (halved.low + halved.high + 1) / 2
           ) AS middle
           WHERE halved.low < halved.high
      )
      SELECT halved.low AS version FROM halved WHERE halved.low >= halved.high
 ) AS last_read
 CROSS JOIN LATERAL (
      SELECT *
        FROM {schema}.events AS of_stream
       WHERE of_stream.stream_id = asked.stream_id
         AND of_stream.stream_version > last_read.version AND of_stream.stream_version <= last_read.version + $3
       ORDER BY of_stream.stream_version
       LIMIT $3
 ) AS e
 WHERE e.position <= $2
 ORDER BY e.position
 LIMIT $3
