"""The arguments of many small calls, decoded in one pass: msgpack takes a sixth of the time for each when it is given all. Pure.

A payload is whatever its sender made of it, and msgpack reads one after the other as one list: a broken one could swallow
its neighbour. So behind each stands a separator of random bytes that no sender knows. There are as many separators as
payloads; if, of what was read, every second value is one, then each stands behind exactly one value: no payload is less
than a value, or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from msgpack import unpackb

from .codec import CALL_DEPTH
from .depth import DEPTH_MAX, check_depth
from .plain import SMALL_BYTES_MAX

SEPARATOR_BYTES: Final = 16
Call = tuple[list[Any], dict[str, Any]]  # positional and named arguments
_LIST: Final = Struct(">BI")  # how msgpack begins a list of any length
_LIST_KIND: Final = 0xDD


class ManyCalls:
    """``secret``: SEPARATOR_BYTES that were drawn for this process."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._separator = b"\xc4" + bytes([len(secret)]) + secret

    def decode(self, payloads: Sequence[bytes]) -> list[Call] | None:
        """The arguments of each. None: one of them is no small call of plain values, and each has to be
        decoded by itself (``codec.decode_work``), which says what is wrong with it, if anything is."""
        count = len(payloads)
        if count < 2 or (longest := max(map(len, payloads))) > SMALL_BYTES_MAX:
            return None
        separator = self._separator
        joined = _LIST.pack(_LIST_KIND, 2 * count) + separator.join(payloads) + separator
        try:
            values = unpackb(joined, strict_map_key=False, ext_hook=_not_plain)
            if values[1::2].count(self._secret) != count:
                return None
            calls = values[::2]
            if longest > DEPTH_MAX:  # no shorter one can be deeper
                for value, payload in zip(calls, payloads, strict=True):
                    if len(payload) > DEPTH_MAX:
                        check_depth(value, payload, DEPTH_MAX + CALL_DEPTH)
        except Exception:
            return None
        return calls if _are_calls(calls) else None


def _are_calls(values: list[Any]) -> bool:
    # Types are collected first, and then compared: a look at each by itself would take longer than the decoding.
    if set(map(type, values)) != {list} or set(map(len, values)) != {2}:
        return False
    positional, named = zip(*values, strict=True)
    if set(map(type, positional)) != {list} or set(map(type, named)) != {dict}:
        return False
    return not any(named) or all(set(map(type, one)) == {str} for one in named if one)


def _not_plain(code: int, body: bytes) -> Any:
    raise ValueError("an extension type: its callable may run the user's code, which belongs to its own call")
