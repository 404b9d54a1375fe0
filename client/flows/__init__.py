"""Flows: tasks that are one thing to people."""
