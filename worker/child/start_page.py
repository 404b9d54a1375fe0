"""Which job a child has begun, in a page that it shares with its supervisor, and how jobs are taken back from it. Pure but for a lock.

::

    child:       BEGUN := n ── fence ── TAKEN >= n? ─ no ──► RUNS := n, and it runs job n
                                             └─ yes ──► LEFT := n, and it reports that it has not begun n
    supervisor:  TAKEN := the last job sent ── fence ── BEGUN = m: what comes behind m is the supervisor's again

Each word has one writer. Ordinals only grow, and a child comes to its jobs in their order; so one number says which jobs were
begun, and one which were taken back, wherever they are: in the socket, in the child's hands, or in the middle of a block.

Invariants: 1. no job is both run by the child and taken back: each side writes its own word before it reads the other's, so
at least one of them sees what the other has written; 2. no job is lost: one that the child does not run is taken back, or
(both have written before either has read) the child reports it as left; 3. the words of a dead child say which jobs it had
begun. ``tests/worker/child/test_start_page.py`` goes through every order of these steps, on processors that delay writes.
"""

from __future__ import annotations

import threading
from typing import Final, Protocol

WORDS_BYTES: Final = 4096  # words of eight bytes, each in a cache line of its own
BEGUN, TAKEN, LEFT, RUNS = 0, 8, 16, 24
# Of a child that runs many jobs: the ordinal of the job whose code runs on its loop now, or 0; how often the loop has turned, about.
HOLDER, BEATS = 32, 40


class Words(Protocol):
    """Shared memory as numbers of 64 bits: a memoryview of a page, or a list in a test."""

    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...


class FenceLock(Protocol):
    def acquire(self) -> bool: ...
    def release(self) -> None: ...


class StartPage:
    """One side's view of the page.

    ``lock``: its own, held all the time. Released and acquired, it is the fence: what was written before is seen by others
    before anything after it is read. POSIX demands of locks that they synchronize memory. The release comes first, because
    on ARM only a release followed by an acquire keeps a write before a later read; on x86 either does.
    """

    def __init__(self, words: Words, lock: FenceLock | None = None) -> None:
        self._words = words
        lock = lock or threading.Lock()
        self._acquire, self._release = lock.acquire, lock.release
        self._acquire()

    # the child

    def begin(self, ordinal: int) -> bool:
        """Whether the child may run this job; if so it has begun. If not, and ``has_left`` says so, it has to be reported as
        left: the supervisor may count it as begun."""
        words = self._words
        if words[TAKEN] >= ordinal:
            return False
        words[BEGUN] = ordinal
        self._release()
        self._acquire()
        if words[TAKEN] < ordinal:
            words[RUNS] = ordinal
            return True
        words[LEFT] = ordinal
        return False

    def has_left(self, ordinal: int) -> bool:
        return self._words[LEFT] == ordinal

    # the supervisor

    @property
    def beat(self) -> tuple[int, int]:
        """``BEATS`` and ``HOLDER``."""
        return self._words[BEATS], self._words[HOLDER]

    @property
    def begun(self) -> int:
        """The ordinal up to which jobs were begun, if they were not taken back before."""
        begun = self._words[BEGUN]
        return begun - 1 if begun and begun == self._words[LEFT] else begun

    @property
    def runs(self) -> int:
        """The ordinal of the last job that was begun for certain: the child cannot leave it any more."""
        return self._words[RUNS]

    def may_be_left(self, ordinal: int) -> bool:
        """Whether a child that reports this job as left can have left it."""
        return ordinal <= min(self._words[TAKEN], self._words[LEFT])

    def take_back(self, last: int) -> int:
        """Take back all jobs up to this ordinal that were not begun. Returns the ordinal up to which they were begun."""
        self._words[TAKEN] = last
        self._release()
        self._acquire()
        return self.begun
