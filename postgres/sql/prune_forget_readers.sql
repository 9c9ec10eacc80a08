-- The rows stay: were they gone, epochs would begin anew, and an owner of long ago would pass for the present one.
UPDATE {schema}.checkpoints AS c
   SET position = NULL, epoch = c.epoch + 1, owner = NULL, held_until = '-infinity'
 WHERE c.version = $2 AND starts_with(c.name, $1) AND strpos(substr(c.name, length($1) + 1), '/') = 0
