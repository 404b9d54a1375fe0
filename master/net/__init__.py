"""The sockets of the main port: who is admitted, one connection, and the server around the engine."""
