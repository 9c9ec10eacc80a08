-- Each stream is read from its own part of the index, never more than a page of it. Along a stream positions rise with its
-- versions: where to begin is found by halving, so that a page costs the same however much of a stream was read before.
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type, e.stream_id,
       e.data::text AS data, e.metadata::text AS metadata
  FROM unnest($4::text[]) AS asked (stream_id)
 CROSS JOIN LATERAL (
      WITH RECURSIVE halved (low, high) AS (
          SELECT 0::bigint,
                 coalesce((SELECT max(head.stream_version)
                             FROM {schema}.events AS head
                            WHERE head.stream_id = asked.stream_id), 0)
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
 ) AS read
 CROSS JOIN LATERAL (
      SELECT *
        FROM {schema}.events AS of_stream
       WHERE of_stream.stream_id = asked.stream_id
         AND of_stream.stream_version > read.version
         AND of_stream.position > $1 AND of_stream.position <= $2
         AND ($5::text[] IS NULL OR of_stream.event_type = ANY ($5))
         AND ($6::text[] IS NULL OR of_stream.category = ANY ($6))
       ORDER BY of_stream.stream_version
       LIMIT $3
  ) AS e
 ORDER BY e.position
 LIMIT $3
