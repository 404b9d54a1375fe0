"""Data as bytes and back: arguments, results, items, failures, large content."""
