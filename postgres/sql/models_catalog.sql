SELECT p.projection, p.version, p.generation, p.building, p.paused, coalesce(s.of, 1) AS shards
  FROM {schema}.projections AS p
  LEFT JOIN {schema}.shards AS s
         ON s.name = 'annals/projection/' || p.projection || '/' || p.generation AND s.version = p.version
 ORDER BY p.projection, p.version
