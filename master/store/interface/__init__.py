"""What a store is asked to do: one file a subject."""
