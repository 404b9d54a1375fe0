-- In a cluster of several shards: the queues in whose shards a tenant's cap is, a line each; NULL: in all.
ALTER TABLE tenants ADD COLUMN shards_of TEXT;
