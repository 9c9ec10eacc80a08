-- Gives up the leases of so many shards, those that nobody ever had included: who is about to take one of them waits until this
-- change is done, and sees what has become of it.
INSERT INTO {schema}.checkpoints AS c (name, version, shard, epoch, held_until)
SELECT $1, $2, shard.number, 0, '-infinity'
  FROM generate_series(0, $3::bigint - 1) AS shard (number)
 ORDER BY shard.number
    ON CONFLICT (name, version, shard) DO UPDATE
   SET epoch = c.epoch + 1, owner = NULL, held_until = '-infinity'
RETURNING c.shard, c.position
