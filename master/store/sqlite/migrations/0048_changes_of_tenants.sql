-- In a cluster of several shards: the number of the last change of a tenant that this shard knows of. Older ones are refused.
ALTER TABLE tenants ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
