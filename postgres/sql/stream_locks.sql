-- Who writes a row of a stream beside an append that may store nothing holds the stream meanwhile: such an append only looks
-- at the head. In one order, so that two that meet wait for, but do not block, each other. A lock of two numbers is none of
-- those by which appends are known.
SELECT pg_advisory_xact_lock(1634627170, stream.lock)
  FROM (SELECT DISTINCT hashtext('{schema}.' || id) AS lock FROM unnest($1::text[]) AS id ORDER BY 1) AS stream
