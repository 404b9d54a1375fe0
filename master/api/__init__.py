"""The registry of exposed objects, and the validation of arguments."""
