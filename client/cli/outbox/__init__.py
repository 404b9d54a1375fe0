"""``tq outbox``: the relay between the table of an outbox and the master, and what people do to its rows."""
