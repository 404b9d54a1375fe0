"""What time it is, twice: the wall's for what people and other hosts see, the monotonic for durations.

A wall clock may jump an hour; a lease must not notice. A due time is meant in the wall's time.
"""

from __future__ import annotations

import time
from typing import NamedTuple


class Now(NamedTuple):
    """One reading, handed to everything that decides: whole milliseconds."""

    wall: int  # since 1970, UTC
    mono: int  # since some moment of this boot


def read_clock() -> Now:
    return Now(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)
