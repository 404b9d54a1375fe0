"""Schedules: in code and at run time."""
