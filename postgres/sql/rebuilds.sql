SELECT r.kept::text FROM {schema}.rebuilds AS r ORDER BY r.projection, r.version, r.of
