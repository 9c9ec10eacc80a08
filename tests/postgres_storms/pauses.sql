-- Makes appends take a random time after they have drawn their positions, so that they commit in another order; undoes some
-- for the sake of others, as a server does at any statement and at COMMIT; refuses a few.
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    dice float8 := random();
BEGIN
    PERFORM pg_sleep(0.02 * dice ^ 4);
    IF dice < 0.02 THEN
        RAISE EXCEPTION 'by chance' USING ERRCODE = 'serialization_failure';
    ELSIF dice < 0.03 THEN
        RAISE EXCEPTION 'by chance' USING ERRCODE = 'deadlock_detected';
    ELSIF dice < 0.04 THEN
        RAISE EXCEPTION 'by chance';
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.002 THEN
        RAISE EXCEPTION 'by chance, at COMMIT' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER pause AFTER INSERT ON annals.events FOR EACH STATEMENT EXECUTE FUNCTION pause();

CREATE CONSTRAINT TRIGGER stumble AFTER INSERT ON annals.events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stumble();
