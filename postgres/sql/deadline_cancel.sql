DELETE FROM {schema}.deadlines AS d
 USING unnest($1::text[], $2::text[]) AS gone (process, name)
 WHERE d.process = gone.process
   AND d.name = gone.name
