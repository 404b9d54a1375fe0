"""What a task is: its states, options, ids and names, and how a function becomes one. Imports no other room."""
