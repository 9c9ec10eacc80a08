SELECT d.process, d.name, d.due
  FROM {schema}.deadlines AS d
 WHERE d.due <= $1
 ORDER BY d.due, d.process, d.name
 LIMIT $2
