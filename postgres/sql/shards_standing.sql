-- Layout and checkpoints as they are together. A reader of which nothing was said has one shard, and no row among the layouts.
SELECT s.of, s.floors::text AS floors, c.shard, c.position
  FROM (SELECT $1::text AS name, $2::bigint AS version) AS r
  LEFT JOIN {schema}.shards AS s ON s.name = r.name AND s.version = r.version
  LEFT JOIN {schema}.checkpoints AS c ON c.name = r.name AND c.version = r.version AND c.position IS NOT NULL
