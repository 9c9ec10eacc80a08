INSERT INTO {schema}.shards (name, version, of, floors)
VALUES ($1, $2, $3, $4::json)
    ON CONFLICT (name, version) DO UPDATE
   SET of = excluded.of, floors = excluded.floors
