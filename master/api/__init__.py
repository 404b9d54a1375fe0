"""What can be called: the registry of exposed objects, and the validation of arguments."""
