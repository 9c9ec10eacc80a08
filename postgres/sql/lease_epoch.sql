SELECT c.epoch FROM {schema}.checkpoints AS c WHERE c.name = $1 AND c.version = $2 AND c.shard = $3
