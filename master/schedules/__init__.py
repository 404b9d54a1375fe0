"""Schedules: tasks that the master makes at certain times."""
