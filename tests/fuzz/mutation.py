"""Damage: bytes that were well formed, and are so no longer; and msgpack written to do harm."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def damage(data: bytes, random: Random) -> bytes:
    """One to four mutations of ``data``."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        random.choice(_MUTATIONS)(changed, random)
    return bytes(changed)


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _overwrite(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _insert(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.randbytes(random.randint(1, 8))


def _cut_out(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    del data[at : at + random.randint(1, 16)]


def _cut_off(data: bytearray, random: Random) -> None:
    del data[random.randint(0, len(data)) :]


def _repeat(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = data[at : at + random.randint(1, 32)]


def _number(data: bytearray, random: Random) -> None:
    packed = struct.pack(">Q", random.choice(NUMBERS))[-random.choice((1, 2, 4, 8)) :]
    at = random.randint(0, len(data))
    data[at : at + len(packed)] = packed


def _hostile(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = hostile_msgpack(random)


_MUTATIONS: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip,
    _overwrite,
    _insert,
    _cut_out,
    _cut_off,
    _repeat,
    _number,
    _hostile,
)


def hostile_msgpack(random: Random) -> bytes:
    """Headers that promise more than there is, nesting without end, unknown ext types, unexpected keys."""
    size = random.choice(NUMBERS)
    match random.randrange(7):
        case 0:
            return b"\x91" * random.randint(1, 3_000)  # [[[[…
        case 1:
            return b"\x81\x01" * random.randint(1, 3_000)  # {1: {1: {1: …
        case 2:
            return b"\xdd" + struct.pack(">I", size & 0xFFFFFFFF)  # an array of four thousand million
        case 3:
            return (
                b"\xdf" + struct.pack(">I", size & 0xFFFFFFFF) + b"\x91\x90\x90"
            )  # a map with a list for a key
        case 4:
            return b"\xc6" + struct.pack(">I", size & 0xFFFFFFFF)  # bytes that never come
        case 5:
            code = random.randrange(256)
            body = random.randbytes(random.randint(0, 20))
            return bytes((0xC7, len(body), code)) + body  # an ext of any code
        case _:
            inner = b"\x90"
            for _ in range(random.randint(1, 100)):  # ext in ext in ext: each level is a call
                inner = b"\xc9" + struct.pack(">IB", len(inner) + 1, 1) + b"\x91" + inner
            return inner
