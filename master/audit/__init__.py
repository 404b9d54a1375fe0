"""The audit log: what people and programs have changed of the cluster and of others' work."""
