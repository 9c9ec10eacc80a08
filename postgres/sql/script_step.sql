
-- Step {number}
DO $script$
BEGIN
    IF EXISTS (SELECT FROM {schema}.migrations WHERE step = {number}) THEN
        RETURN;
    END IF;
    EXECUTE $step$
{step}
$step$;
    INSERT INTO {schema}.migrations (step) VALUES ({number});
END
$script$;
