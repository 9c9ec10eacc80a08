SELECT p.generation, p.building, p.paused, p.definition::text AS definition, coalesce(s.of, 1) AS shards
  FROM {schema}.projections AS p
  LEFT JOIN {schema}.shards AS s
         ON s.name = 'annals/projection/' || p.projection || '/' || p.generation AND s.version = p.version
 WHERE p.projection = $1 AND p.version = $2
