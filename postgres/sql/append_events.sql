-- What the function `append` does where no idempotency key is claimed and nothing else is done in the transaction: as one plain
-- statement, which costs the server half of it. All or nothing: no row comes back if a stream is not at the version that is
-- expected of it.
--
-- The lock comes before the positions: no event is made before the heads are read, and they are not without it. The clock comes after
-- the lock: who has seen the log up to an instant meets nothing from before it any more. Events are given by
-- streams in the order of their names, and stay so, since they are joined to one row: two appends that meet wait for, but do not
-- block, each other.
INSERT INTO {schema}.events
    (position, stream_id, stream_version, category, event_id, event_type, schema_version, readable_from, data, metadata,
     recorded_at)
SELECT nextval('{schema}.positions'), ($1::text[])[e.stream], heads.versions[e.stream] + e.number, ($2::text[])[e.stream], e.id,
       e.type, e.schema_version, e.readable_from, e.data::json, e.metadata::json, heads.instants[e.stream]
  FROM (
      SELECT array_agg(coalesce(before.stream_version, 0)) AS versions,
             array_agg(greatest(before.recorded_at, held.now_at)) AS instants
        FROM (
            SELECT pg_advisory_xact_lock_shared(
                       ({namespace}::bigint << 48) | CASE WHEN p.is_called THEN p.last_value ELSE 0 END
                   )::text = '' AS is_held,
                   clock_timestamp() AS now_at
              FROM {schema}.positions AS p
            OFFSET 0
        ) AS held
        CROSS JOIN unnest($1::text[], $3::bigint[]) AS s (id, expected)
        LEFT JOIN LATERAL (
            SELECT e.stream_version, e.recorded_at
              FROM {schema}.events AS e
             WHERE e.stream_id = s.id
             ORDER BY e.stream_version DESC
             LIMIT 1
        ) AS before ON true
       WHERE held.is_held
      HAVING bool_and(s.expected IS NULL OR s.expected = coalesce(before.stream_version, 0))
  ) AS heads
  CROSS JOIN unnest($4::integer[], $5::bigint[], $6::uuid[], $7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[])
             AS e (stream, number, id, type, schema_version, readable_from, data, metadata)
RETURNING position, stream_version, recorded_at
