"""The client's connection: the I/O thread, pending calls, transports, settings."""
