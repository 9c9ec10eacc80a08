-- The log, and what lives beside it. `{schema}` stands for the schema's name; `{namespace}` for the high 16 bits of the
-- keys of its advisory locks.

-- Positions are drawn from here, each above all that were drawn before it. The key of an advisory lock has 48 bits for
-- one. No cache: a session that drew ahead would hand out positions below what readers have passed.
CREATE SEQUENCE {schema}.positions AS bigint MINVALUE 1 MAXVALUE 281474976710655 NO CYCLE CACHE 1;

-- Fixed widths first, so that no byte is lost between them. Names compare byte by byte, as in a program. The payload is
-- `json`, which keeps its text as it was written: `jsonb` alters numbers, drops repeated keys and costs each reader the
-- way back to text.
CREATE TABLE {schema}.events (
    position       bigint      NOT NULL,
    stream_version bigint      NOT NULL,
    schema_version bigint      NOT NULL,
    readable_from  bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    event_id       uuid        NOT NULL,
    stream_id      text        NOT NULL COLLATE "C",
    category       text        NOT NULL COLLATE "C",
    event_type     text        NOT NULL COLLATE "C",
    data           json        NOT NULL,
    metadata       json        NOT NULL,
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream_version UNIQUE (stream_id, stream_version),
    CONSTRAINT events_event_id UNIQUE (event_id)
);

-- Readers of a few types, or of a category, find theirs without looking through all others.
CREATE INDEX events_event_type ON {schema}.events (event_type, position);
CREATE INDEX events_category ON {schema}.events (category, position);

CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.%: what has happened stays as it is', tg_op, tg_table_schema, tg_table_name
        USING ERRCODE = 'restrict_violation', HINT = 'append an event that says what is different now';
END
$$;

CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();

-- Idempotency keys: who used them, and what was answered. A key without an end never expires.
CREATE TABLE {schema}.keys (
    stream_version bigint      NOT NULL,
    position       bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    events         bigint      NOT NULL,
    expires_at     timestamptz,
    stream_id      text        NOT NULL COLLATE "C",
    key            text        NOT NULL COLLATE "C",
    command        text        NOT NULL COLLATE "C",
    content        bytea       NOT NULL,
    CONSTRAINT keys_stream_key PRIMARY KEY (stream_id, key)
);

CREATE INDEX keys_expires_at ON {schema}.keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE {schema}.snapshots (
    snapshot_version bigint      NOT NULL,
    stream_version   bigint      NOT NULL,
    saved_at         timestamptz NOT NULL,
    event_id         uuid        NOT NULL,
    stream_id        text        NOT NULL COLLATE "C",
    fingerprint      text        COLLATE "C",
    data             json        NOT NULL,
    CONSTRAINT snapshots_stream PRIMARY KEY (stream_id, snapshot_version)
);

CREATE INDEX snapshots_saved_at ON {schema}.snapshots (saved_at);

-- What is kept of each projection beside its rows. Which of its tables answers is the generation; the tables themselves are
-- made when the projection is prepared.
CREATE TABLE {schema}.projections (
    version    bigint  NOT NULL,
    generation bigint  NOT NULL,
    building   bigint,
    paused     boolean NOT NULL,
    projection text    NOT NULL COLLATE "C",
    model      text    COLLATE "C",
    definition json    NOT NULL,
    CONSTRAINT projections_name PRIMARY KEY (projection, version),
    CONSTRAINT projections_model UNIQUE (model, version)
);

-- Rebuilds, of all rows or of one: what was asked for, and what has become of it. Whoever changes one has read it at its
-- revision.
CREATE TABLE {schema}.rebuilds (
    version    bigint NOT NULL,
    revision   bigint NOT NULL,
    projection text   NOT NULL COLLATE "C",
    of         text   NOT NULL COLLATE "C",
    kept       json   NOT NULL,
    CONSTRAINT rebuilds_of PRIMARY KEY (projection, version, of)
);

-- Events that wait for their row. A key may be longer than an index takes: its hash stands for it.
CREATE TABLE {schema}.parked (
    version    bigint      NOT NULL,
    shard      bigint      NOT NULL,
    position   bigint      NOT NULL,
    attempts   bigint      NOT NULL,
    parked_at  timestamptz NOT NULL,
    retry_at   timestamptz,
    name       text        NOT NULL COLLATE "C",
    key_hash   bytea       NOT NULL,
    key        text        NOT NULL COLLATE "C",
    stream_id  text        NOT NULL COLLATE "C",
    event_type text        NOT NULL COLLATE "C",
    error      text        NOT NULL COLLATE "C",
    CONSTRAINT parked_event PRIMARY KEY (name, version, shard, position, key_hash)
);

-- Where each reader of the log stands, and who may move it: the epoch rises with each owner. The unit of work that moved it
-- last, and under which epoch, tells who lost the connection at the COMMIT whether it was done.
CREATE TABLE {schema}.checkpoints (
    version    bigint      NOT NULL,
    shard      bigint      NOT NULL,
    position   bigint,
    epoch      bigint      NOT NULL,
    moved_in   bigint      NOT NULL DEFAULT 0,
    held_until timestamptz NOT NULL,
    moved_by   uuid,
    name       text        NOT NULL COLLATE "C",
    owner      text        COLLATE "C",
    CONSTRAINT checkpoints_reader PRIMARY KEY (name, version, shard)
);

-- How readers are divided into shards, by those to whom somebody has said a number; all others have one. Slices of keys that are
-- further on than the checkpoint of their shard are its floors.
CREATE TABLE {schema}.shards (
    version bigint NOT NULL,
    of      bigint NOT NULL,
    name    text   NOT NULL COLLATE "C",
    floors  json   NOT NULL,
    CONSTRAINT shards_reader PRIMARY KEY (name, version)
);

-- What is to go out, in its order, until it is answered.
CREATE TABLE {schema}.outgoing (
    number   bigint GENERATED ALWAYS AS IDENTITY,
    category text   NOT NULL COLLATE "C",
    process  text   NOT NULL COLLATE "C",
    key      text   NOT NULL COLLATE "C",
    command  text   NOT NULL COLLATE "C",
    data     json   NOT NULL,
    metadata json   NOT NULL,
    CONSTRAINT outgoing_number PRIMARY KEY (number),
    CONSTRAINT outgoing_key UNIQUE (key)
);

CREATE INDEX outgoing_category ON {schema}.outgoing (category, number);

CREATE TABLE {schema}.deadlines (
    due      timestamptz NOT NULL,
    category text        NOT NULL COLLATE "C",
    process  text        NOT NULL COLLATE "C",
    name     text        NOT NULL COLLATE "C",
    CONSTRAINT deadlines_process_name PRIMARY KEY (process, name)
);

CREATE INDEX deadlines_due ON {schema}.deadlines (category, due, process, name);

-- Appends to several streams, all or none: gives back where each stream ended before it and what the events were given,
-- or no row if a stream is not at the version that is expected of it.
--
-- The order of its steps is what keeps the log's order. First the lock, whose key is the last position that was drawn, so
-- that readers stop below what this append is about to draw; then the heads of the streams; then the positions. Whoever
-- appends to the same stream meanwhile fails at `events_stream_version`, so that the order of positions is the order of
-- each stream.
CREATE FUNCTION {schema}.append(
    streams text[], categories text[],
    checked_stream integer[], checked_version bigint[], checked_before bigint[],
    event_stream integer[], event_number bigint[], event_id uuid[], event_type text[], schema_version bigint[],
    readable_from bigint[], event_data text[], event_metadata text[],
    key_stream integer[], key_text text[], key_command text[], key_content bytea[], key_lifetime bigint[],
    key_after bigint[], key_last_event integer[], key_events bigint[],
    OUT positions bigint[], OUT head_versions bigint[], OUT head_positions bigint[], OUT head_instants timestamptz[],
    OUT instants timestamptz[]
) RETURNS SETOF record LANGUAGE plpgsql
-- Planned once: the plans do not depend on how many events there are, and planning costs more than all the rest.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    drawn bigint;
    now_at timestamptz;
    claimed bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'append at isolation level %', current_setting('transaction_isolation')
            USING ERRCODE = 'inappropriate_isolation_level_for_branch_transaction',
                  HINT = 'append at READ COMMITTED: what an older snapshot hides decides the order';
    END IF;
    -- Of several appends in one transaction, the lock of the first is below them all. The setting goes with the lock: at the end
    -- of the transaction, or of the savepoint in which it was taken.
    IF cardinality(event_id) > 0 AND current_setting('annals.under_way_{schema}', true) IS DISTINCT FROM 'yes' THEN
        SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO drawn FROM {schema}.positions AS s;
        PERFORM pg_advisory_xact_lock_shared(({namespace}::bigint << 48) | drawn);
        PERFORM set_config('annals.under_way_{schema}', 'yes', true);
    END IF;
    now_at := clock_timestamp();

    SELECT array_agg(coalesce(head.stream_version, 0) ORDER BY stream.number),
           array_agg(coalesce(head.position, 0) ORDER BY stream.number),
           array_agg(coalesce(head.recorded_at, now_at) ORDER BY stream.number),
           array_agg(greatest(head.recorded_at, now_at) ORDER BY stream.number)
      INTO head_versions, head_positions, head_instants, instants
      FROM unnest(streams) WITH ORDINALITY AS stream (id, number)
      LEFT JOIN LATERAL (
          SELECT e.stream_version, e.position, e.recorded_at
            FROM {schema}.events AS e
           WHERE e.stream_id = stream.id
           ORDER BY e.stream_version DESC
           LIMIT 1
      ) AS head ON true;

    IF EXISTS (
        SELECT FROM unnest(checked_stream, checked_version, checked_before) AS checked (stream, version, before)
         WHERE head_versions[checked.stream] + checked.before <> checked.version
    ) THEN
        RETURN;
    END IF;

    positions := ARRAY(
        SELECT nextval('{schema}.positions') FROM generate_series(1, cardinality(event_id))
    );
    INSERT INTO {schema}.events
        (position, stream_id, stream_version, category, event_id, event_type, schema_version, readable_from, data,
         metadata, recorded_at)
    SELECT e.position, streams[e.stream], head_versions[e.stream] + e.number, categories[e.stream], e.id, e.type,
           e.schema_version, e.readable_from, e.data::json, e.metadata::json, instants[e.stream]
      FROM unnest(positions, event_stream, event_number, event_id, event_type, schema_version, readable_from,
                  event_data, event_metadata)
           AS e (position, stream, number, id, type, schema_version, readable_from, data, metadata)
     -- The positions are drawn. Inserted in the order of streams, two appends that meet wait for, but do not block, each other.
     ORDER BY streams[e.stream] COLLATE "C", e.number;

    IF cardinality(key_text) > 0 THEN
        INSERT INTO {schema}.keys AS kept
            (stream_id, key, command, content, stream_version, position, recorded_at, events, expires_at)
        SELECT streams[k.stream], k.key, k.command, k.content, head_versions[k.stream] + k.after,
               coalesce(positions[k.last_event], head_positions[k.stream]),
               CASE WHEN k.last_event IS NULL THEN head_instants[k.stream] ELSE instants[k.stream] END,
               k.events, now_at + k.lifetime * interval '1 microsecond'
          FROM unnest(key_stream, key_text, key_command, key_content, key_lifetime, key_after, key_last_event, key_events)
               AS k (stream, key, command, content, lifetime, after, last_event, events)
         ORDER BY streams[k.stream] COLLATE "C", k.key COLLATE "C"
            ON CONFLICT (stream_id, key) DO UPDATE
           SET command = excluded.command, content = excluded.content, stream_version = excluded.stream_version,
               position = excluded.position, recorded_at = excluded.recorded_at, events = excluded.events,
               expires_at = excluded.expires_at
         WHERE kept.expires_at <= now_at;
        GET DIAGNOSTICS claimed = ROW_COUNT;
        IF claimed < cardinality(key_text) THEN
            RAISE EXCEPTION 'a key is in use' USING ERRCODE = 'unique_violation', CONSTRAINT = 'keys_stream_key';
        END IF;
    END IF;
    RETURN NEXT;
END
$$;

-- Up to where the log can be read without passing an event that commits later, and where it ends.
--
-- First the last position that was drawn, then the lowest lock: an append that is not seen in the second had not drawn when
-- the first was read, or has ended. Then the rows, in a later statement with a newer snapshot. What is told is the position
-- of an event that is there for good: one that was only drawn may be drawn again after a crash.
CREATE FUNCTION {schema}.ceiling(OUT readable bigint, OUT head bigint) LANGUAGE plpgsql AS $$
DECLARE
    below bigint;
    lowest bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the log''s end is asked for at isolation level %', current_setting('transaction_isolation')
            USING ERRCODE = 'inappropriate_isolation_level_for_branch_transaction', HINT = 'read at READ COMMITTED';
    END IF;
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a stand-by does not tell which appends are under way'
            USING ERRCODE = 'read_only_sql_transaction', HINT = 'read from the primary';
    END IF;
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO below FROM {schema}.positions AS s;
    SELECT min(((held.classid::bigint & 65535) << 32) | held.objid::bigint) INTO lowest
      FROM pg_locks AS held
     WHERE held.locktype = 'advisory'
       AND held.objsubid = 1
       AND held.classid::bigint >> 16 = {namespace}
       AND held.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    below := least(below, lowest);
    SELECT coalesce(max(e.position), 0) INTO readable FROM {schema}.events AS e WHERE e.position <= below;
    SELECT coalesce(max(e.position), 0) INTO head FROM {schema}.events AS e;
END
$$;
