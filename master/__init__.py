"""One process that accepts, decides and remembers."""
