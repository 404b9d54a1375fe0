"""The transaction loop, and what it is handed: sessions, the clock, the commit."""
