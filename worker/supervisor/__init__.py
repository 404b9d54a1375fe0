"""The shell around the agent: its loop, its connection, what it shows and measures."""
