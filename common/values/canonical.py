"""Bytes that are the same for equal plain values: dicts and sets have an order that depends on how they were made. Pure.

Each part has its kind and its length in front, so that no two values share their bytes. Nothing reads them: they are hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .plain import ATOMS


def canonical_bytes(value: Any, encode: Callable[[Any], bytes]) -> bytes:
    """``encode``: of what is neither a list, tuple, dict nor set."""
    kind = type(value)
    if kind in ATOMS:
        return _part(b"a", [encode(value)])
    if kind is dict:
        entries = [
            canonical_bytes(name, encode) + canonical_bytes(one, encode) for name, one in value.items()
        ]
        return _part(b"d", sorted(entries))
    if kind is list or kind is tuple:
        return _part(b"l" if kind is list else b"t", [canonical_bytes(one, encode) for one in value])
    if kind is set or kind is frozenset:
        return _part(b"s" if kind is set else b"f", sorted(canonical_bytes(one, encode) for one in value))
    return _part(b"o", [encode(value)])


def _part(kind: bytes, parts: Iterable[bytes]) -> bytes:
    whole = b"".join(parts)
    return b"%b%d:%b" % (kind, len(whole), whole)
