DELETE FROM {schema}.shards AS s
 WHERE s.version = $2 AND starts_with(s.name, $1) AND strpos(substr(s.name, length($1) + 1), '/') = 0
