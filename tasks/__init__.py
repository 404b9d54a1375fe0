"""Ready-made named callables that a worker can serve as they are. User code: imports only what a user may."""
