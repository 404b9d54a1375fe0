"""A store whose durable truth is a PostgreSQL database; see ``store.py``."""
