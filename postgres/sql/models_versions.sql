SELECT p.version FROM {schema}.projections AS p WHERE p.model = $1 ORDER BY p.version DESC
