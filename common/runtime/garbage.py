"""The garbage collector of a program that runs for months.

What the program consists of when it has started stays: modules, classes, what was read from disk. The collector would look
at all of it again and again, and find nothing. So it is frozen, and the rest is collected less often: nearly all of what
comes and goes with a message is freed by its reference count, at once.
"""

from __future__ import annotations

import gc
from typing import Final

# New containers before the youngest are looked at; a batch of a thousand tasks makes some ten thousand of them.
THRESHOLDS: Final = (100_000, 20, 100)
# The same in a process of many jobs at a time: two hundred that begin together make some ten thousand, which are all in use. A tenth of
# what a program of our own has: theirs may make cycles that hold much memory.
THRESHOLDS_OF_JOBS: Final = (10_000, 10, 10)


def freeze_started() -> None:
    """Call it once, when the program has started; not in a program that runs its users' code."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def freeze_loaded() -> None:
    """The same for a program that ends when its work is done: what loading it has left behind is not worth a look, which would take as long
    as a short run of it."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


class LoadedCode:
    """The same for a process that runs many jobs of its users at a time, around the loading of their code. What that says to the collector
    itself stays."""

    def __init__(self) -> None:
        self._before = gc.get_threshold()

    def freeze(self) -> None:
        """It is loaded."""
        gc.collect()
        gc.freeze()
        if gc.get_threshold() == self._before:
            gc.set_threshold(*THRESHOLDS_OF_JOBS)
