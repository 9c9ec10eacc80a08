-- The index alone tells the versions of a stream.
WITH RECURSIVE names AS (
    SELECT (SELECT min(e.stream_id) FROM {schema}.events AS e WHERE e.stream_id > $1) AS stream_id
     UNION ALL
    SELECT (SELECT min(e.stream_id) FROM {schema}.events AS e WHERE e.stream_id > name.stream_id)
      FROM names AS name
     WHERE name.stream_id IS NOT NULL
)
SELECT name.stream_id, whole.events, whole.first, whole.last
  FROM (SELECT n.stream_id FROM names AS n WHERE n.stream_id IS NOT NULL LIMIT $2) AS name
 CROSS JOIN LATERAL (
       SELECT count(*) AS events, min(e.stream_version) AS first, max(e.stream_version) AS last
         FROM {schema}.events AS e
        WHERE e.stream_id = name.stream_id
 ) AS whole
