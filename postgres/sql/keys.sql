SELECT k.stream_id, k.key, k.command, k.content, k.stream_version, k.position, k.recorded_at, k.events
  FROM unnest($1::text[], $2::text[]) AS asked (stream_id, key)
  JOIN {schema}.keys AS k ON k.stream_id = asked.stream_id AND k.key = asked.key
 WHERE k.expires_at IS NULL OR k.expires_at > clock_timestamp()
