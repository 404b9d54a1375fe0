"""What the three sides agree on for each exposed object: its methods, their roles, the records of its rows."""
