SELECT o.process, o.key, o.command, o.data::text AS data, o.metadata::text AS metadata, o.number
  FROM {schema}.outgoing AS o
 WHERE o.category = $1
   AND o.number > $2
 ORDER BY o.number
 LIMIT $3
