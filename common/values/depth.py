"""How deep values may nest: one number, where they are packed, where they are read, and in calls. Pure.

msgpack reads a thousand lists in one another without a word, and what is that deep cannot be printed, compared or packed any
more. So what was read is looked at, level by level; not at all when there are too few bytes in it that could begin a container. To
look at a large value takes as long as reading it. That is therefore read inside of so many lists that what is too deep for us
is too deep for msgpack (``Surrounded``); it does not see through ext types, so if there are containers among those, the value is
looked at all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

import msgpack

from ..errors import DecodeError
from .unmade import Unmade

DEPTH_MAX: Final = 64  # containers within containers; deeper is a mistake or an attack
COUNTED_BYTES_MAX: Final = 4 * 1024  # in more it is quicker to look at the values
# Of a value that is not looked at in about the time that the lists around it take
LARGE_BYTES_MIN: Final = 16 * 1024
CONTAINERS: Final = frozenset({list, dict, tuple, set, frozenset, Unmade})
# msgpack's first bytes of maps, arrays and ext types. They may also be part of anything else: what they give is a bound.
_BEGINNINGS: Final = bytes([*range(0x80, 0xA0), 0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9), *range(0xDC, 0xE0)])
_MARKED: Final = bytes(byte in _BEGINNINGS for byte in range(256))
_LIST_OF_ONE: Final = b"\x91"
_STACK_MAX: Final = 64 * 1024  # more than msgpack's is in any version


def unpack_shallow(data: bytes | memoryview, unpack: Callable[[bytes], Any], depth_max: int) -> Any:
    """As ``unpack(data)``, which calls msgpack; DecodeError when lists and maps nest deeper."""
    levels = _native_depth() - depth_max
    try:
        value = unpack(b"".join((_LIST_OF_ONE * levels, data)))
    except msgpack.StackError:
        raise _too_deep() from None
    for _ in range(levels):
        [value] = value
    return value


def is_large(data: bytes | memoryview) -> bool:
    """Whether ``unpack_shallow`` takes less time than to look at it."""
    return len(data) >= LARGE_BYTES_MIN and _native_depth() > 0


@cache
def _native_depth() -> int:
    """How many lists in one another msgpack reads. 0: it is not the one in C, and reads as many as Python's stack has room for."""
    if not msgpack.Unpacker.__module__.endswith("_cmsgpack"):
        return 0
    fits, too_many = 1, _STACK_MAX
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        try:
            msgpack.unpackb(_LIST_OF_ONE * middle + b"\xc0")
            fits = middle
        except msgpack.StackError:
            too_many = middle
    return fits


def check_depth(value: Any, data: bytes | memoryview, depth_max: int = DEPTH_MAX) -> None:
    """DecodeError when containers nest deeper in what ``data`` was read as."""
    size = len(data)
    if size <= depth_max:
        return
    if size <= COUNTED_BYTES_MAX and bytes(data).translate(_MARKED).count(1) <= depth_max:
        return
    if is_deeper(depth_max, [value]):
        raise _too_deep()


def _too_deep() -> DecodeError:
    return DecodeError(f"values nested deeper than {DEPTH_MAX}")


def is_deeper(depth_max: int, values: Sequence[Any], containers: frozenset[type] = CONTAINERS) -> bool:
    """Whether more containers than that are in one another, in any of the values. ``containers``: their exact types."""
    if containers.isdisjoint(map(type, values)):
        return False
    for _ in range(depth_max):
        kinds = set(map(type, values))
        if len(kinds) > 1:
            values = [one for one in values if type(one) in containers]
        if containers.isdisjoint(map(type, _content(values, kinds))):
            return False
        values = list(_content(values, kinds))
    return True


def _content(values: Sequence[Any], kinds: set[type]) -> Iterable[Any]:
    """What is in these containers."""
    if kinds == {list}:  # the rows of a long list, without a step of Python for each
        return chain.from_iterable(values)
    if kinds == {dict}:
        return chain(chain.from_iterable(values), chain.from_iterable(map(dict.values, values)))
    return chain.from_iterable(map(_members, values))


def _members(value: Any) -> Iterable[Any]:
    if type(value) is dict:
        return chain(value, value.values())
    found: Iterable[Any] = getattr(value, "members", value)  # of what is not made
    return found
