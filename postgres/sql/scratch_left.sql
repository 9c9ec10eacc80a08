-- The readers of scratch tables whose leases nobody holds. A lease that was given up is held until -infinity.
SELECT c.name, c.version
  FROM {schema}.checkpoints AS c
 WHERE starts_with(c.name, $1) AND c.held_until <= clock_timestamp()
 ORDER BY c.name, c.version
