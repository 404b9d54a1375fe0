"""One small program per peer: its task, and a client that prints how long it took. Run in the peer's own home."""
