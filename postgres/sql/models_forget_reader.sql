-- The row stays: were it gone, epochs would begin anew, and an owner of long ago would pass for the present one.
UPDATE {schema}.checkpoints AS c
   SET position = NULL, epoch = c.epoch + 1, owner = NULL, held_until = '-infinity'
 WHERE c.name = $1 AND c.version = $2
