INSERT INTO {schema}.deadlines AS d (process, name, due)
VALUES ($1, $2, $3)
    ON CONFLICT (process, name) DO UPDATE SET due = excluded.due
