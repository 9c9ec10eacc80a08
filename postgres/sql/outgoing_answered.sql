DELETE FROM {schema}.outgoing AS o WHERE o.key = ANY ($1)
