-- The view of the public name, unless another version has it.
DO $script$
BEGIN
    IF current_schema() IS NOT NULL AND to_regclass(format('%I.%I', current_schema(), {model_text})) IS NULL THEN
        EXECUTE format('CREATE VIEW %I.%I AS SELECT * FROM ', current_schema(), {model_text}) || {version_view};
        EXECUTE format('COMMENT ON VIEW %I.%I IS %L', current_schema(), {model_text}, {mark});
    END IF;
END
$script$;
