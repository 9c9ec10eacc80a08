-- A lease that has run out passes on under its old owner's name too: it may be a new process, and the old one only asleep.
-- The clock is read twice, and may step back in between: it alone never leaves another owner the epoch.
-- Who writes under the lease has locked it, and may stand still: whoever claims it waits for so long at most.
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', $6, true))
INSERT INTO {schema}.checkpoints AS c (name, version, shard, owner, epoch, held_until)
SELECT $1, $2, $3, $4, 1, clock_timestamp() + $5 * interval '1 microsecond'
  FROM patience
    ON CONFLICT (name, version, shard) DO UPDATE
   SET owner = excluded.owner,
       epoch = CASE WHEN c.owner = excluded.owner AND c.held_until > clock_timestamp() THEN c.epoch ELSE c.epoch + 1 END,
       held_until = excluded.held_until
 WHERE c.held_until <= clock_timestamp() OR c.owner = excluded.owner
RETURNING c.epoch
