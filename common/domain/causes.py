"""Why tasks fail, summed up: one cause for each queue, callable, type of error and place in the user's code. Pure.

A cause is a row of bounded size: how many, since when, how many an hour, where and with which code, and the newest of them.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from ..errors import ProtocolError
from ..wire.frames import pack, unpack

HOUR_MS: Final = 3_600_000
HOURS: Final = 48  # counted one by one
NAMES_MAX: Final = 8  # hosts, and versions, of one cause: those that were seen last
TEXT_CHARS_MAX: Final = 200
TAIL_CHARS: Final = 8_192  # of a traceback, in which its innermost frames stand
STACK: Final = re.compile(
    r'^ *File "([^"\n]{1,4096})", line (\d{1,9}) in ([^\n]{1,200})$', re.MULTILINE
)  # by faulthandler
FRAME: Final = re.compile(r'^[ |]*File "([^"\n]{1,4096})", line (\d{1,9}), in ([^\n]{1,200})$', re.MULTILINE)
LIBRARY: Final = re.compile(r"[/\\](site-packages|dist-packages|lib[/\\]python3\.\d+)[/\\]|^<frozen ")


class CodePlace(NamedTuple):
    """``where``: the function and the name of its file, as people read it; empty: no traceback says it."""

    where: str = ""
    line: int = 0


def place_of(traceback: str) -> CodePlace:
    """The innermost frame of the user's code, or else the innermost one; of a long text the end is looked at."""
    # Stacks of a process that was killed begin with the call that was made last.
    found = FRAME.findall(traceback[-TAIL_CHARS:]) or STACK.findall(traceback[:TAIL_CHARS])[::-1]
    if not found:
        return CodePlace()
    file, line, function = next((one for one in reversed(found) if not LIBRARY.search(one[0])), found[-1])
    name = re.split(r"[/\\]", file)[-1]
    return CodePlace(f"{function}, {name}"[:TEXT_CHARS_MAX], int(line))


@dataclass(slots=True, kw_only=True)
class Cause:
    """Times are in ms, of the same clock. ``failed``: tasks; ``retried``: attempts that were tried again. ``hours``: failures by hour since
    1970; ``hosts``, ``versions``: how many on each. ``newest``: the id of a task."""

    queue: str
    name: str
    kind: str
    where: str
    line: int = 0
    message: str = ""
    newest: bytes = b""
    failed: int = 0
    retried: int = 0
    first: int = 0
    last: int = 0
    hours: dict[int, int] = field(default_factory=dict)
    hosts: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.queue, self.name, self.kind, self.where

    def add(
        self,
        at: int,
        id: bytes,
        line: int,
        message: str,
        host: str,
        version: str,
        *,
        is_final: bool,
        times: int = 1,
    ) -> None:
        if is_final:
            self.failed += times
        else:
            self.retried += times
        self.first, self.last = self.first or at, max(self.last, at)
        self.newest, self.line, self.message = id, line, message[:TEXT_CHARS_MAX]
        hour = at // HOUR_MS
        _count(self.hours, hour, times)
        for old in [one for one in self.hours if one <= hour - HOURS]:
            del self.hours[old]
        for names, name in ((self.hosts, host), (self.versions, version)):
            if name:
                _count(names, name[:TEXT_CHARS_MAX], times)
                if len(names) > NAMES_MAX:
                    del names[next(iter(names))]

    def hourly(self, now: int) -> list[int]:
        """How many failures in each hour up to now, the oldest first."""
        return [self.hours.get(one, 0) for one in range(now // HOUR_MS - HOURS + 1, now // HOUR_MS + 1)]

    def packed(self) -> bytes:
        return pack(asdict(self) | {"hours": list(self.hours.items())})


def unpacked(body: bytes) -> Cause:
    """Raises ProtocolError for one of another version."""
    try:
        found: dict[str, Any] = unpack(body)
        return Cause(**found | {"hours": dict(found["hours"])})
    except (TypeError, ValueError, KeyError) as error:
        raise ProtocolError(f"a cause of an unknown form: {error}") from None


def _count(names: dict[Any, int], name: Any, times: int) -> None:
    """It becomes the last one: the first is the one that was seen longest ago."""
    names[name] = names.pop(name, 0) + times
