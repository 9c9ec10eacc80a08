SELECT r.key, r.data::text AS data
  FROM {schema}.rows AS r
 WHERE r.model = $1 AND ($2::text IS NULL OR r.key > $2)
 ORDER BY r.key
 LIMIT $3
