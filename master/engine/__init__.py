"""The engine: one transaction after another, over parts that it does not know by name."""
