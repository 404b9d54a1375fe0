"""Ids as people write them: whole, shortened as git's are, and as a place behind another one. Pure.

::

    019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b              a task
    019300a1-7c3e                                     what has an id that begins so: a task, or an array
    019300a1-7c3e..3c2b                               the task whose id begins and ends so
    019300a1-7c3e+5                                   the task five places behind the first one of the array
    019300a1-7c3e+0..199999                           from the first to the 200,000th: both are meant, too

Tasks of one array have consecutive ids, of which only the last 32 bits differ: see ``ids``.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .ids import PLACE_BITS, parse_id, show_id
from .model import TASK_ID_BYTES

DIGITS: Final = 2 * TASK_ID_BYTES  # of a whole id, in hexadecimal
DIGITS_MIN: Final = 4  # of a shortened one: with fewer, most of what there is would be meant
SHORT_DIGITS: Final = 12  # are shown if they suffice: the time of an id, to the millisecond
TASKS_MAX: Final = 1 << PLACE_BITS  # from the first to the last one of a range
TAIL_DIGITS: Final = (
    4,
    8,
)  # of the end of an id, if its beginning is that of many: those of a program that submits one by one
_FORM: Final = re.compile(
    r"([0-9a-f-]+)(?:\.\.([0-9a-f]{1,12}))?(?:\+(\d{1,10})(?:\.\.(\d{1,10}))?)?", re.IGNORECASE
)
_DIGITS: Final = re.compile(rf"[0-9a-f]{{{DIGITS_MIN},{DIGITS}}}")


class IdText(NamedTuple):
    """What was written. ``start``, ``stop``: places behind the first task; without them all that the prefix means."""

    prefix: str  # hexadecimal digits in lower case
    tail: str = ""  # as the id ends
    start: int | None = None
    stop: int | None = None  # behind the last place

    @property
    def is_whole(self) -> bool:
        return len(self.prefix) == DIGITS

    @property
    def beginning(self) -> tuple[str, str]:
        """What the master is asked for."""
        return self.prefix, self.tail

    @property
    def id(self) -> bytes:
        """Of a whole one."""
        return bytes.fromhex(self.prefix)


class IdRange(NamedTuple):
    """Consecutive ids."""

    first: bytes
    tasks: int

    def id(self, place: int) -> bytes:
        return (int.from_bytes(self.first, "big") + place).to_bytes(TASK_ID_BYTES, "big")

    def place(self, id: bytes) -> int:
        return int.from_bytes(id, "big") - int.from_bytes(self.first, "big")

    def __str__(self) -> str:
        return f"{show_id(self.first)}+0..{self.tasks - 1}" if self.tasks > 1 else show_id(self.first)


def read_id_text(text: str) -> IdText:
    """Raises InvalidArgument."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return IdText(parse_id(text).hex())
    prefix, tail = check_prefix(match[1].replace("-", "").lower()), (match[2] or "").lower()
    start, last = match[3], match[4]
    if tail and len(prefix) + len(tail) > DIGITS:
        raise InvalidArgument(
            f"{brief(text, 60)}: an id has {DIGITS} digits, beginning and end together have more"
        )
    if start is None:
        return IdText(prefix, tail)
    first = int(start)
    stop = first + 1 if last is None else int(last) + 1
    if not first < stop <= TASKS_MAX:
        raise InvalidArgument(
            f"{brief(text, 60)}: the tasks of a range are written as FIRST..LAST, with FIRST not behind LAST"
        )
    return IdText(prefix, tail, first, stop)


def check_tail(digits: str) -> str:
    if len(digits) <= 12 and all(one in "0123456789abcdef" for one in digits):
        return digits
    raise InvalidArgument(
        f"{brief(digits, 60)} is not the end of a task id: that has up to 12 hexadecimal digits"
    )


def check_prefix(digits: str) -> str:
    """The digits of a whole id or of its beginning; raises InvalidArgument for anything else."""
    if _DIGITS.fullmatch(digits) is None:
        raise InvalidArgument(
            f"{brief(digits, 60)} is not a task id, nor the beginning of one: that has {DIGITS_MIN} to {DIGITS} "
            "hexadecimal digits, as in 019300a1-7c3e"
        )
    return digits


def ids_that_begin(prefix: str) -> tuple[bytes, bytes]:
    """The first and the last id that begin with these digits."""
    return bytes.fromhex(prefix.ljust(DIGITS, "0")), bytes.fromhex(prefix.ljust(DIGITS, "f"))


def next_with_tail(id: int, tail: str) -> int:
    """The first id from this one on that ends so, as a number."""
    step = 16 ** len(tail)
    return id + (int(tail, 16) - id) % step if tail else id


def show_short(id: bytes, digits: int, tail: int = 0) -> str:
    """The beginning of an id, with dashes where the whole one has them, and so many digits of its end."""
    text = show_id(id)
    if tail:
        return f"{show_short(id, digits)}..{text[-tail:]}"
    shown = 0
    for end, sign in enumerate(text):
        if shown == digits:
            return text[:end]
        shown += sign != "-"
    return text


def digits_to_tell(one: int, other: int) -> int:
    """How many digits of an id, as a number, tell it from another."""
    return min(DIGITS, DIGITS - ((one ^ other).bit_length() + 3) // 4 + 1)
