"""What every program of tq needs to run: settings, logs, health pages, and the ways to find a master."""
