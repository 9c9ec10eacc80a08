SELECT o.process, o.key, o.command, o.data::text AS data, o.metadata::text AS metadata
  FROM {schema}.outgoing AS o
 ORDER BY o.number
 LIMIT $1
