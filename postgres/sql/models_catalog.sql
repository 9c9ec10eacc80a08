SELECT p.projection, p.version, p.generation, p.building, p.paused
  FROM {schema}.projections AS p
 ORDER BY p.projection, p.version
