DELETE FROM {schema}.deadlines AS d WHERE d.process = $1 AND d.name = $2
