INSERT INTO {schema}.rows AS r (model, key, data)
SELECT new.model, new.key, new.data::json
  FROM unnest($1::text[], $2::text[], $3::text[]) AS new (model, key, data)
    ON CONFLICT (model, key) DO UPDATE SET data = excluded.data
