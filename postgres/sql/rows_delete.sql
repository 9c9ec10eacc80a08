DELETE FROM {schema}.rows AS r
 USING unnest($1::text[], $2::text[]) AS old (model, key)
 WHERE r.model = old.model AND r.key = old.key
