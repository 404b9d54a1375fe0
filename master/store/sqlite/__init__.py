"""The embedded store: one file a subject, beside its SQL and its migrations."""
