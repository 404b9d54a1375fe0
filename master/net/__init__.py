"""The main port: its server, its connections and their sessions, and who is admitted."""
