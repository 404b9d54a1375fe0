"""What is measured and shown of a master: meters, metrics, health, overviews."""
