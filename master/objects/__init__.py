"""Objects of managers that live in the master's memory."""
