"""Tasks: accepted, dispatched, leased, completed, watched, listed and explained."""
