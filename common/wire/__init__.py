"""Bytes as calls: addresses, frames, TLS, the handshake, the protocol, and a caller's connection."""
