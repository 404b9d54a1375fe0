"""Limits: what bounds the tasks that run or start, by name."""
