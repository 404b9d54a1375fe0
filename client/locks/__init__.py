"""Locks, events and barriers over the network."""
