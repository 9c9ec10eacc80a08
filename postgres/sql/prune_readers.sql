-- Of all generations, of what is skipped, and of who rebuilds them: nobody takes a lease until this change is done.
WITH held AS (
    SELECT c.owner, c.held_until FROM {schema}.checkpoints AS c
     WHERE c.version = $2 AND starts_with(c.name, $1) AND strpos(substr(c.name, length($1) + 1), '/') = 0
     ORDER BY c.name, c.shard
       FOR UPDATE
)
SELECT coalesce(bool_or(h.owner IS NOT NULL AND h.held_until > clock_timestamp()), false) FROM held AS h
