"""How long the main thread of a process could have run and could not.

It *has no processor*: on a machine under load, as a niced process, or at its quota. The kernel counts it (``schedstat``), but for the wait
that is not over yet. That one is known by what does not grow: a thread that can run and whose counts stand still waits.

Or *threads of its own process have Python's lock* (the GIL). A thread that waits for that is woken every few milliseconds to ask for it again: a
thread that is woken often and hardly runs, while others of its process do, waits for it. One that sleeps or waits for a socket is not woken.

Where the kernel does not say, nothing is known of either, and nothing is counted.

It is asked ten times a second for each process, so its files stay open: read again from their beginning they say what is so now, and those
of a process that is gone never become another's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

NS: Final = 1e-9
RUNNABLE: Final = b"R"  # it runs, or waits for a processor
# Of a thread that waits for Python's lock: it is woken 200 times a second, if it finds a processor
WAKES_PER_SECOND_MIN: Final = 20
OTHERS_TIMES_MIN: Final = 5  # other threads of the process run so many times as long as the main thread,
OTHERS_SHARE_MIN: Final = 0.1  # and so much of the time
UTIME, STIME = 11, 12  # in ``stat``, behind the name
READ_BYTES: Final = 1024  # more than either file has
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


class Starved(NamedTuple):
    """Seconds in the life of a process."""

    of_processor: float = 0.0
    by_own_threads: float = 0.0

    def since(self, before: Starved) -> Starved:
        return Starved(
            max(0.0, self.of_processor - before.of_processor), self.by_own_threads - before.by_own_threads
        )


class _Counts(NamedTuple):
    """``at``: when they were read. ``ran``, ``waited``, ``wakes``: of the main thread. ``all_ran``: of all threads."""

    at: float
    ran: float
    waited: float
    wakes: int
    all_ran: float


class Starvation:
    """Of one process. ``folder``: of its files."""

    def __init__(self, pid: int, folder: Path | None = None) -> None:
        self._folder = folder or Path("/proc", str(pid))
        # Those of its counts and its state, once they are open; none: it is closed
        self._files: tuple[int, ...] | None = None
        self._text, self._since = b"", 0.0  # what it said last, and when that was new
        self._last: _Counts | None = None
        self._by_own_threads = 0.0

    def close(self) -> None:
        """It is gone: its number may be another process's by now, whose files are not opened."""
        files, self._files = self._files, ()
        for file in files or ():
            os.close(file)

    def look(self, now: float) -> Starved:
        """In its life; by its own threads, as far as it was looked at."""
        try:
            text, said = self._read()
            ran, waited, wakes = text.split()
            # Behind the last bracket: a process may have brackets and spaces in its name.
            state = said.rpartition(b")")[2].split(None, STIME + 1)
            all_ran = (int(state[UTIME]) + int(state[STIME])) * _TICK
        except (OSError, ValueError, IndexError):  # another system, or it is gone
            return Starved()
        counts = _Counts(now, int(ran) * NS, int(waited) * NS, int(wakes), all_ran)
        if self._last is not None:
            self._by_own_threads += _behind_own_threads(self._last, counts)
        self._last = counts
        if text != self._text:
            self._text, self._since = text, now
        unfinished = now - self._since if state[0] == RUNNABLE else 0.0
        return Starved(counts.waited + unfinished, self._by_own_threads)

    def _read(self) -> tuple[bytes, bytes]:
        if self._files is None:
            counts = os.open(self._folder / "schedstat", os.O_RDONLY)
            try:
                self._files = counts, os.open(self._folder / "stat", os.O_RDONLY)
            except OSError:
                os.close(counts)
                raise
        counts, state = self._files
        return os.pread(counts, READ_BYTES, 0), os.pread(state, READ_BYTES, 0)


def _behind_own_threads(before: _Counts, now: _Counts) -> float:
    """Seconds between two looks in which the main thread waited for Python's lock."""
    seconds, ran = now.at - before.at, now.ran - before.ran
    others = now.all_ran - before.all_ran - ran
    if (
        now.wakes - before.wakes < WAKES_PER_SECOND_MIN * seconds
        or others < OTHERS_SHARE_MIN * seconds
        or others < OTHERS_TIMES_MIN * ran
    ):
        return 0.0
    return max(0.0, seconds - ran - (now.waited - before.waited))
