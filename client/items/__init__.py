"""Queues of plain values."""
