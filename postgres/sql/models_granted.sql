-- What is not there nobody has to be granted.
SELECT coalesce(bool_and(has_table_privilege(to_regclass($1), needed.may)), true)
           AND coalesce(has_table_privilege(to_regclass($2), 'SELECT'), true) AS is_granted,
       quote_ident(current_user) AS role
  FROM unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) AS needed (may)
