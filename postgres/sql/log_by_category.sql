-- Each category is read from its own part of the index, never more than a page of it.
SELECT e.position, e.stream_version, e.schema_version, e.readable_from, e.recorded_at, e.event_id, e.event_type,
       e.data::text AS data, e.metadata::text AS metadata, e.stream_id
  FROM unnest($4::text[]) AS asked (category)
 CROSS JOIN LATERAL (
      SELECT *
        FROM {schema}.events AS of_category
       WHERE of_category.category = asked.category
         AND of_category.position > $1 AND of_category.position <= $2
       ORDER BY of_category.position
       LIMIT $3
  ) AS e
 ORDER BY e.position
 LIMIT $3
