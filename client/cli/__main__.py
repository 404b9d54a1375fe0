"""``python -m tq.client.cli``: what ``tq`` is, for programs of this package that start it."""

from . import main

if __name__ == "__main__":
    main()
