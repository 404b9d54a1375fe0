"""Content too large for messages: its files, the uploads under way, and who may forget what when."""
