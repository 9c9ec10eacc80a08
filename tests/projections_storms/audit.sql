-- Each change of a row, with the name of whose session it was and the epoch in which the checkpoint moved beside it.
CREATE TABLE audit (number bigserial, writer text, epoch bigint);

CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (writer, epoch)
    SELECT current_setting('application_name'), c.moved_in
      FROM annals.checkpoints AS c
     WHERE c.name = 'annals/projection/items/1';
    RETURN NULL;
END
$$;

CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON annals.items_v1_1
    FOR EACH ROW EXECUTE FUNCTION audit();
