SELECT asked.number, r.data::text AS data
  FROM unnest($2::text[]) WITH ORDINALITY AS asked (key, number)
  JOIN {schema}.rows AS r ON r.model = $1 AND r.key = asked.key
