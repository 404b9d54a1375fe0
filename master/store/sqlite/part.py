"""What the parts of the embedded store have in common: they run its named statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class SqlitePart:
    """``all``, ``many`` and ``exactly`` run the named statements of the store that this is a part of."""

    def __init__(
        self,
        all: Callable[..., list[Any]],
        many: Callable[[str, Sequence[Any]], int],
        exactly: Callable[[str, Sequence[Any]], None],
    ) -> None:
        self._all, self._many, self._exactly = all, many, exactly
