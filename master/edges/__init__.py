"""Needs between the shards of a cluster: what a shard says to another one, in numbered rows that this applies once."""
