"""What a program imports: App, Handle, and the ``tq`` command."""
