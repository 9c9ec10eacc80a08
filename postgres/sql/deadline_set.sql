INSERT INTO {schema}.deadlines AS d (category, process, name, due)
SELECT new.category, new.process, new.name, new.due
  FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS new (category, process, name, due)
    ON CONFLICT (process, name) DO UPDATE SET due = excluded.due
