"""What the page shows: one file a view. A view reads from the master and knows nothing of HTTP."""
