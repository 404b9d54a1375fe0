"""Queues of plain values, and the workers that consume them."""
