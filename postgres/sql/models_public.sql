SELECT n.nspname::text AS schema, c.relkind = 'v' AS is_view, obj_description(c.oid, 'pg_class') AS comment
  FROM pg_namespace AS n
  LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = $1
 WHERE n.nspname = current_schema()
