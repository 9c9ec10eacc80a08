-- The row goes: the generation in its name is drawn for one run only, and whoever held its lease finds no table any more. With $3,
-- only if nobody holds it.
DELETE FROM {schema}.checkpoints AS c
 WHERE c.name = $1 AND c.version = $2 AND (NOT $3 OR c.held_until <= clock_timestamp())
