"""The keys of the limits and the tenants of a map: made of its calls as they are read, and sent with them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .payloads import RefusedCall

if TYPE_CHECKING:
    from .lane_keys import LaneKeys
    from .options import Choice


class MapKeys:
    """Of calls that were read and are not in a submit yet."""

    def __init__(self, keys: LaneKeys) -> None:
        self._keys = keys
        self._noted: list[tuple[str, ...]] = []

    def note(self, calls: Sequence[tuple[Any, ...]]) -> RefusedCall | None:
        """Of the next calls, before they are encoded; those before one that has no key have theirs."""
        known = self._keys.known(calls)
        if known is not None:
            self._noted += known
            return None
        for place, args in enumerate(calls):
            try:
                self._noted.append(self._keys.keys(args, {}))
            except Exception as error:
                return RefusedCall(place, error)
        return None

    def of_next(self, choice: Choice, tasks: int) -> Choice:
        """With the keys of the next so many tasks."""
        keys, self._noted = self._noted[:tasks], self._noted[tasks:]
        return choice._replace(columns=self._keys.columns(keys))
