"""Large content."""
