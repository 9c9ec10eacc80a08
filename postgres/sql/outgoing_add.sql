INSERT INTO {schema}.outgoing (category, process, key, command, data, metadata)
SELECT new.category, new.process, new.key, new.command, new.data::json, new.metadata::json
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
       WITH ORDINALITY AS new (category, process, key, command, data, metadata, number)
 ORDER BY new.number
    ON CONFLICT (key) DO NOTHING
