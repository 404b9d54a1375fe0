"""Tasks that need other tasks: they wait until these have ended, and get their results as arguments."""
