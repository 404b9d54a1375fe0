"""The outbox: which rows of programs' own databases were handed over, so that each is accepted once."""
