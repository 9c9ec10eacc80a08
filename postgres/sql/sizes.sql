-- Rows as the last VACUUM or ANALYZE counted them; -1 stands for never.
SELECT c.relname::text AS name, c.reltuples::bigint AS rows, pg_total_relation_size(c.oid) AS bytes
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = '{schema}' AND c.relkind IN ('r', 'p', 'm')
 ORDER BY bytes DESC, name
