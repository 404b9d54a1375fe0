"""Plain values, the most of all: atoms, and small lists and dicts of them, which msgpack packs and unpacks by itself.

They take a short way. What is true of every value is proven for these at once, in both directions:

=================== ================================================= =============================================
promise             where a plain value is packed                     where a small one is unpacked
=================== ================================================= =============================================
exact types         each part is exactly an atom, a list or a dict    ext types are read as everywhere
depth               at most ``PLAIN_DEPTH_MAX``                       msgpack's own stack; ext types as everywhere
keys, their hashes  text and bytes; in small dicts ints, too          too short for ``GLANCED_MAX`` keys
size of containers  as everywhere                                     no more parts than bytes
surrogates, large   msgpack refuses them, then the whole way is taken msgpack refuses them, then the whole way is taken
ints
=================== ================================================= =============================================

So the short way refuses no value: what it does not take goes the whole way (``codec.py``), which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .hashing import ALIKE_MAX, UNCHOSEN

# What is deeper takes the whole way; it bounds the look at a list that is in itself
PLAIN_DEPTH_MAX: Final = 8
SMALL_BYTES_MAX: Final = 256  # a map in so few bytes has fewer keys than GLANCED_MAX
GLANCED_ITEMS: Final = 16  # in more it is quicker to collect the types first
INT64_MIN, UINT64_MAX = -(2**63), 2**64 - 1
ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
AS_THEY_ARE: Final = frozenset({type(None), bool, float, bytes})  # others of them are looked at
KEYS: Final = frozenset({str, int, bytes})


def are_atoms(values: Iterable[Any]) -> bool:
    return set(map(type, values)) <= ATOMS


def is_plain(value: Any, depth: int = PLAIN_DEPTH_MAX) -> bool:
    """Whether it is a list or a dict that is packed as it is, but for text that is not Unicode and large ints."""
    kind = type(value)
    if kind is dict:
        kinds = KEYS if len(value) <= ALIKE_MAX else UNCHOSEN
        for key in value:
            if type(key) not in kinds:
                return False
        value = value.values()
    elif kind is not list:
        return False
    elif len(value) > GLANCED_ITEMS and are_atoms(value):
        return True
    for item in value:  # noqa: SIM110 - a generator takes four times as long
        if type(item) not in ATOMS and not (depth and is_plain(item, depth - 1)):
            return False
    return True


def is_flat(values: list[Any]) -> bool:
    """Whether it is packed as it is, seen at a glance: as long lists are, of one type."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return is_64_bits(min(values)) and is_64_bits(max(values))
    return kinds <= AS_THEY_ARE or (kinds == {str} and all(map(str.isascii, values)))


def is_64_bits(value: int) -> bool:
    return INT64_MIN <= value <= UINT64_MAX
