"""What a planted bug is."""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """Replace ``old`` by ``new`` in a module of tq, or in its SQL."""

    name: str
    module: str
    old: str
    new: str
    also: tuple[tuple[str, str], ...] = ()  # further changes of the kind, in the same module
