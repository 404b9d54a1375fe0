"""How rows pass from shard to shard."""
