"""msgpack's packers, two for each thread: they are not thread-safe, and making one costs more than packing a small value."""

from __future__ import annotations

import threading
from typing import Any, Final

import msgpack

# A packer's buffer grows and never shrinks: one that has grown is replaced
BUFFER_BYTES_KEPT: Final = 256 * 1024


class _Packers(threading.local):
    """``strict`` refuses what is not exactly of a type of msgpack's, ``loose`` takes tuples as arrays: for what was checked."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        strict = msgpack.Packer(autoreset=True, use_bin_type=True, strict_types=True)
        self.strict, self.strict_ext = strict.pack, strict.pack_ext_type
        self.loose = msgpack.Packer(autoreset=True, use_bin_type=True, strict_types=False).pack


packers: Final = _Packers()


def pack_strictly(value: Any) -> bytes:
    packed: bytes = packers.strict(value)
    if len(packed) > BUFFER_BYTES_KEPT:
        packers.renew()
    return packed


def pack_loosely(value: Any) -> bytes:
    packed: bytes = packers.loose(value)
    if len(packed) > BUFFER_BYTES_KEPT:
        packers.renew()
    return packed
