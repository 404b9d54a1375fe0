"""Strikes: tasks that an operator holds back by what they are, for a time."""
