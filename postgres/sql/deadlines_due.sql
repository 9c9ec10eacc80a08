SELECT d.process, d.name, d.due
  FROM {schema}.deadlines AS d
 WHERE d.category = $1
   AND d.due <= $2
   AND ($3::timestamptz IS NULL OR (d.due, d.process, d.name) > ($3, $4 COLLATE "C", $5 COLLATE "C"))
 ORDER BY d.due, d.process, d.name
 LIMIT $6
