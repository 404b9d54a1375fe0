"""Content too large for messages: files, uploads and reads, and when content is deleted."""
