GRANT CREATE ON SCHEMA {schema} TO {role};
-- What another role has made or makes here, such as who prepares the tables at a deployment.
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
-- The views of the public names stand where unqualified names are looked up first.
DO $script$
BEGIN
    IF current_schema() IS NOT NULL THEN
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', current_schema(), {role_text});
    END IF;
END
$script$;
