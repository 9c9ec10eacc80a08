-- How far positions were drawn, then the lowest lock of the appends that are under way: in this order.
SELECT drawn.position, lowest.position
  FROM (SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS position FROM {schema}.positions AS s) AS drawn,
       LATERAL (
           SELECT min(((held.classid::bigint & 65535) << 32) | held.objid::bigint) AS position
             FROM pg_locks AS held
            WHERE held.locktype = 'advisory'
              AND held.objsubid = 1
              AND held.classid::bigint >> 16 = {namespace}
              AND held.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
              AND drawn.position IS NOT NULL
       ) AS lowest
