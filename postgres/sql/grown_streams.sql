SELECT e.stream_id, max(e.stream_version) AS stream_version, count(*) AS events, max(e.recorded_at) AS recorded_at
  FROM {schema}.events AS e
 WHERE e.position > $1
 GROUP BY e.stream_id
 ORDER BY events DESC, e.stream_id
 LIMIT $2
