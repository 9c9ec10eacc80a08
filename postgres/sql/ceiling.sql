SELECT readable, head FROM {schema}.ceiling()
