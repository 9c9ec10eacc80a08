SELECT count(*) FROM {schema}.events AS e
 WHERE e.position <= $1
   AND ($2::text[] IS NULL OR e.event_type = ANY ($2))
   AND ($3::text[] IS NULL OR e.category = ANY ($3))
   AND ($4::text[] IS NULL OR e.stream_id = ANY ($4))
