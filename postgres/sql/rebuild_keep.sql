-- What somebody else has changed since it was read stays as it is. A key may be longer than an index takes: its hash stands for it.
INSERT INTO {schema}.rebuilds AS r (projection, version, of, revision, kept)
SELECT $1, $2, md5($3), $4 + 1, $5::json
 WHERE $4 = 0 OR EXISTS (
    SELECT FROM {schema}.rebuilds AS k WHERE k.projection = $1 AND k.version = $2 AND k.of = md5($3)
)
    ON CONFLICT (projection, version, of) DO UPDATE
   SET revision = excluded.revision, kept = excluded.kept
 WHERE r.revision = $4
