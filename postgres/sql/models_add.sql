INSERT INTO {schema}.projections (projection, version, model, definition, generation, paused)
VALUES ($1, $2, $3, $4::json, 1, false)
