"""The verbs of a store: one file a subject."""
