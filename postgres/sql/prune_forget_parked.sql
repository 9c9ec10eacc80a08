DELETE FROM {schema}.parked AS p
 WHERE p.version = $2 AND starts_with(p.name, $1) AND strpos(substr(p.name, length($1) + 1), '/') = 0
