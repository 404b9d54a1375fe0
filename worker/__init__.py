"""One host: a supervisor with one connection to the master, and the child processes that run tasks."""
