"""A master that does not serve: it names the one that does, and waits for its turn."""
