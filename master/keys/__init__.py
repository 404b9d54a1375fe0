"""The keys that this master accepts."""
