"""What runs jobs: child processes, or threads, behind one interface."""
