"""The keys of the limits of items, and their tenants: what ``by=`` and ``--tenant`` come to for each of them. Pure.

A function that is known by its name says no parameters, so an expression names what an item has: the columns of a row, the names of an
object; of a line ``{item}``, and if it is a URL ``{host}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from ....common.errors import InvalidArgument
from ...tasks.definition import Definition
from ...tasks.lane_keys import LaneKeys
from ...tasks.options import Choice

NAMES_OF_TEXT: Final = ("item", "host")
Keys = tuple[str, ...]


class ItemLanes:
    def __init__(self, choice: Choice, task: str) -> None:
        self._choice = choice
        self._keys = None if choice.columns is not None else LaneKeys(choice.terms, Definition(None, task))

    def of(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Keys:
        """Of one item. Raises InvalidArgument."""
        if self._keys is None:
            return ()
        values = {**names_in(args), **kwargs}
        if missing := [name for name in self._keys.parameters if name not in values]:
            has = f"it has {', '.join(map(str, values))}" if values else "it has none"
            raise InvalidArgument(f"this item has no {{{missing[0]}}} for --limit or --tenant; {has}")
        return self._keys.keys((), values)

    def choice(self, keys: Sequence[Keys]) -> Choice:
        """Of a call with the items that have these."""
        return self._choice if self._keys is None else self._choice._replace(columns=self._keys.columns(keys))


def names_in(args: Sequence[Any]) -> dict[str, Any]:
    """What an item without keywords has by names."""
    if len(args) != 1:
        return {}
    [only] = args
    if isinstance(only, Mapping):
        return {name: value for name, value in only.items() if isinstance(name, str)}
    return {"item": only, "host": host_of(only)} if isinstance(only, str) else {"item": only}


def host_of(text: str) -> str:
    """Of a URL, in lower case; of anything else it is empty."""
    try:
        return urlsplit(text.strip()).hostname or ""
    except ValueError:
        return ""
