"""Measurements of tq, each with the command that repeats it. Not part of the installed package."""
