-- Each category is read from its own part of the index, never more than a page of it. In rows, as the index has them: with the
-- name by itself, the log is walked in its order, since nothing tells how rare a name is that is yet to come.
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data, e.metadata, e.stream_id
  FROM unnest($4::text[]) AS asked (category)
 CROSS JOIN LATERAL (
      SELECT *
        FROM {schema}.events AS of_category
       WHERE (of_category.category, of_category.position) > (asked.category, $1)
         AND (of_category.category, of_category.position) <= (asked.category, $2)
       ORDER BY of_category.category, of_category.position
       LIMIT $3
  ) AS e
 ORDER BY e.position
 LIMIT $3
