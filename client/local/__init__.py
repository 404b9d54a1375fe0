"""A cluster inside one program."""
