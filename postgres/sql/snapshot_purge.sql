DELETE FROM {schema}.snapshots AS s
 WHERE s.saved_at < clock_timestamp() - $1 * interval '1 microsecond'
