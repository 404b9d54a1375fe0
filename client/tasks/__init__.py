"""Tasks as a program submits them, and the handles it gets."""
