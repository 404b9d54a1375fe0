"""How much a message or a value would become if it were decoded, from a look at its headers. Pure; nothing is decoded.

An empty list is one byte on the wire and seventy in memory, so a limit of bytes bounds no memory: 16 MiB of empty
lists take 1.2 GB, also when they are refused right after. Every element has at least one byte, so a message of fewer
bytes than the limit is not looked at.

What a header says is believed: where the bytes end before that, the decoder refuses them, and has made no more of them
than was counted here.
"""

from __future__ import annotations

import re
import sys
from typing import Final

from ..errors import ProtocolError

MESSAGE_ELEMENTS_MAX: Final = 500_000  # of up to 80 bytes each; 100,000 leases announced again have 400,002

# What values take in memory besides their bytes here.
PLACE_BYTES: Final = 8  # in a list
SCALAR_BYTES: Final = 56  # a number or a text, and its place
CONTAINER_BYTES: Final = 72  # an empty list, and its place
MAP_BYTES: Final = 160  # a dict or a set, besides
# One in a dict, besides its key and value, while the dict has grown for the next ones
ENTRY_BYTES: Final = 72
TUPLE: Final = 1
NESTING: Final = frozenset(
    {TUPLE, 3, 4, 16}
)  # ext types of values whose body is one more value: see extension_types.py

# How long Python takes for a value that it reads, judges and writes one by one, in steps of half a microsecond.
SCALAR_STEPS: Final = 1
CONTAINER_STEPS: Final = 4
EXT_STEPS: Final = 16  # a tuple, a date, a Decimal

# What to do at each first byte: skip so many bytes, or one of those below.
_ARRAY, _MAP, _SIZED_ARRAY, _SIZED_MAP, _BYTES_8, _SIZED, _EXT = range(-7, 0)


def _steps() -> list[int]:
    steps = [1] * 256  # small integers, nil, booleans
    steps[0x80:0xA0] = [_MAP] * 16 + [_ARRAY] * 16
    steps[0x80] = steps[0x90] = 1  # empty ones
    steps[0xA0:0xC0] = range(1, 33)  # short text
    steps[0xC4:0xCA] = [_BYTES_8, _SIZED, _SIZED, _EXT, _EXT, _EXT]
    steps[0xCA:0xD4] = [5, 9, 2, 3, 5, 9, 2, 3, 5, 9]  # floats and integers
    steps[0xD4:0xD9] = [3, 4, 6, 10, 18]  # ext of a fixed size
    steps[0xD9:0xDC] = [_BYTES_8, _SIZED, _SIZED]
    steps[0xDC:0xE0] = [_SIZED_ARRAY, _SIZED_ARRAY, _SIZED_MAP, _SIZED_MAP]
    return steps


_STEPS: Final = _steps()
_SINGLE: Final = re.compile(rb"[\x00-\x80\x90\xa0\xc0\xc2\xc3\xe0-\xff]*")  # a run of elements of one byte
_WIDTHS: Final = {  # of the size that follows
    **dict.fromkeys((0xC7,), 1),
    **dict.fromkeys((0xC5, 0xC8, 0xDA, 0xDC, 0xDE), 2),
    **dict.fromkeys((0xC6, 0xC9, 0xDB, 0xDD, 0xDF), 4),
}


def check_elements(body: bytes | memoryview, most: int = MESSAGE_ELEMENTS_MAX) -> None:
    """ProtocolError for a message of more elements: numbers, texts, lists and what is in them."""
    if len(body) > most and _has_more(bytes(body), most):
        raise ProtocolError(f"a message of more than {most:,} values, however small; send less at once")


def _has_more(data: bytes, most: int) -> bool:
    steps, single, at, left, found = _STEPS, _SINGLE.match, 0, 1, 1
    end = len(data) - 1  # a header of one byte is never the last but of a whole message
    while left and at <= end:
        first = data[at]
        step = steps[first]
        left -= 1
        if step == 1:  # seldom one of a few, or one of very many: then not one by one
            run = single(data, at + 1, at + 1 + left).end()  # type: ignore[union-attr] # it matches nothing, too
            left -= run - at - 1
            at = run
        elif step > 0:
            at += step
        elif step == _BYTES_8:
            at += 2 + (data[at + 1] if at < end else 0)
        else:
            width = _WIDTHS.get(first, 0)
            size = int.from_bytes(data[at + 1 : at + 1 + width], "big")
            at += 1 + width
            if step == _SIZED:
                at += size
            elif step == _EXT:
                at += 1 + size
            else:
                size = size if width else first & 0x0F
                more = size if step in (_ARRAY, _SIZED_ARRAY) else 2 * size
                left += more
                found += more
                if found > most:
                    return True
    return False


def weight(data: bytes) -> int:
    """About how many bytes of memory an encoded value takes when it is decoded; no less than four fifths of it. Bytes that
    are no value have some weight, too."""
    return measure(data)[0]


def effort(data: bytes, most: int = sys.maxsize) -> int:
    """How many steps it takes to read and write an encoded value; more than ``most`` if it takes more than ``most``."""
    return measure(data, most)[1]


def measure(data: bytes, most: int = sys.maxsize) -> tuple[int, int]:
    """Weight and effort; nothing is looked at any more once the effort is more than ``most``."""
    steps, single, at, left, end = _STEPS, _SINGLE.match, 0, 1, len(data) - 1
    heavy = hard = 0
    while left > 0 and at <= end and hard <= most:
        first = data[at]
        step = steps[first]
        left -= 1
        if step == 1:
            run = single(data, at + 1, at + 1 + left).end()  # type: ignore[union-attr] # it matches nothing, too
            empty = data.count(b"\x90", at, run) + data.count(b"\x80", at, run)
            heavy += empty * CONTAINER_BYTES + (run - at) * PLACE_BYTES
            hard += empty * CONTAINER_STEPS + (run - at) * SCALAR_STEPS
            left -= run - at - 1
            at = run
        elif step > 0 and not (0xD4 <= first <= 0xD8 and at < end and data[at + 1] in NESTING):
            at += step
            heavy += SCALAR_BYTES
            hard += EXT_STEPS if 0xD4 <= first <= 0xD8 else SCALAR_STEPS
        elif step > 0:
            hard += EXT_STEPS
            heavy += 0 if data[at + 1] == TUPLE else MAP_BYTES
            at += 2
            left += 1  # the value in its body
        elif step == _BYTES_8:
            at += 2 + (data[at + 1] if at < end else 0)
            heavy += SCALAR_BYTES
            hard += SCALAR_STEPS
        else:
            width = _WIDTHS.get(first, 0)
            size = int.from_bytes(data[at + 1 : at + 1 + width], "big")
            at += 1 + width
            if step == _SIZED:
                at += size
                heavy += SCALAR_BYTES
                hard += SCALAR_STEPS
            elif step == _EXT:
                hard += EXT_STEPS
                if at <= end and data[at] in NESTING:
                    heavy += 0 if data[at] == TUPLE else MAP_BYTES
                    at += 1
                    left += 1
                else:
                    heavy += CONTAINER_BYTES + MAP_BYTES
                    at += 1 + size
            else:
                size = size if width else first & 0x0F
                is_map = step in (_MAP, _SIZED_MAP)
                hard += CONTAINER_STEPS
                heavy += CONTAINER_BYTES + (MAP_BYTES + ENTRY_BYTES * size if is_map else 0)
                left += 2 * size if is_map else size
    return len(data) + heavy, hard
