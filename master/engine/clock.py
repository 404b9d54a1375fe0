"""Three clocks: the wall's, the monotonic one, and the master's steady one, by which everything relative is kept.

::

    wall     what people and other hosts see; it may be set by an hour, or by eight days
    mono     durations in one life of this process: leases, graces, silence
    steady   the wall's as long as it runs evenly: what rows of the store are compared with

``delay=``, retry pauses, ``expires=`` and retention are meant as durations. Their moments are written on the steady
clock, which no setting of the wall's moves: the ``Timeline`` compares the wall with the time that has passed, and what
the wall jumped by becomes the ``shift`` between the two. So no row has to be written when it jumps, however many
there are: one number in the store changes. ``at=`` means the wall's and is written apart.

Invariants: 1. while a master runs, steady time passes as real time does, and as the wall's when that is slewed;
2. across a restart it never goes back behind the last moment that the store knows of.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from ...common.errors import ProtocolError
from ...common.wire.frames import pack, unpack
from ..store.interface.store import Store

JUMP_MS: Final = 1_000  # of the wall against the time that has passed, between two looks: less is slewing
SLEW: Final = 0.001  # of the time between them besides: twice what ntpd slews by
SEEN_BUSY_MS: Final = 1_000  # how often the store records the time in transactions that write anyway,
SEEN_IDLE_MS: Final = 600_000  # and how often in a transaction that writes nothing else
ALONE_AGAIN_MS: Final = 10_000  # after one of its own, which may have failed: readers are answered in between
CLOCK: Final = "clock"  # the name of what the store keeps: [shift, the last moment on the steady clock]
# It goes on while the host sleeps: what was to be done in an hour is due after eight hours of sleep.
WITH_SLEEP: Final[int | None] = (
    time.CLOCK_MONOTONIC if sys.platform == "darwin" else getattr(time, "CLOCK_BOOTTIME", None)
)


class Now(NamedTuple):
    """One reading, handed to everything that decides: whole milliseconds."""

    wall: int  # since 1970, UTC: for at= and for people
    mono: int  # since some moment of this boot
    asleep: int = 0  # how long the host has slept in this boot; mono does not count it
    shift: int = 0  # wall - steady

    @property
    def steady(self) -> int:
        """On the clock that rows are kept by."""
        return self.wall - self.shift

    @property
    def passed(self) -> int:
        """Since some moment of this boot, asleep or awake."""
        return self.mono + self.asleep

    def shown(self, moment: int) -> float:
        """A moment of the steady clock in seconds of the wall's, as that is set now."""
        return (moment + self.shift) / 1000


def read_clock() -> Now:
    mono = time.monotonic_ns() // 1_000_000
    asleep = 0 if WITH_SLEEP is None else time.clock_gettime_ns(WITH_SLEEP) // 1_000_000 - mono
    return Now(time.time_ns() // 1_000_000, mono, asleep)


class Timeline:
    """Keeps the steady clock of one master. ``report`` is the log."""

    def __init__(self, store: Store, report: Callable[..., None]) -> None:
        self._store, self._report = store, report
        self._last = self.now = Now(0, 0)  # as it was read, and with its shift
        self._shift = 0
        self._kept_shift, self._kept_moment = 0, 0  # as the store has them
        self._is_kept = False
        self._began = 0  # what a store that has none yet counts from: nothing is written for a start alone
        self._alone_at = 0  # monotonic: not before then in a transaction of its own
        self.jumped = False  # between the last look and the one before

    def load(self) -> None:
        """Read what the store has, in a transaction: it may be less than this process knows."""
        kept = self._store.get_meta(CLOCK)
        self._is_kept = kept is not None
        try:
            shift, moment = unpack(kept or pack([0, self._began]))
            self._kept_shift, self._kept_moment = int(shift), int(moment)
        except (ProtocolError, TypeError, ValueError):
            self._kept_shift, self._kept_moment = 0, self._began  # not of this code: it is written over

    def start(self, now: Now) -> Now:
        """The first look, after ``load``: what it is now on the clock that the store was kept by.

        What happened to the wall while no master ran cannot be known: it counts as time that passed, unless it would
        lead back behind what the store has seen.
        """
        self._shift, self._last = self._kept_shift, now
        # Else what was due, or was deleted as too old, before the restart would be so in the future once more.
        behind = self._kept_moment - (now.wall - self._shift)
        if behind > 0:
            self._shift -= behind
            if behind > JUMP_MS:
                self._report("clock.behind", level="warning", seconds=behind / 1000)
        self.now = now._replace(shift=self._shift)
        self._began = self.now.steady
        return self.now

    def look(self, now: Now) -> Now:
        """The same reading with its shift. A jump of the wall's is noticed here, logged once, and taken into it."""
        passed = now.passed - self._last.passed
        moved = now.wall - self._last.wall - passed
        self.jumped = abs(moved) > JUMP_MS + abs(passed) * SLEW
        self._last = now
        if self.jumped:
            self._shift += moved
            direction = "forward" if moved > 0 else "back"
            self._report("clock.jumped", level="warning", direction=direction, seconds=abs(moved) / 1000)
        self.now = now._replace(shift=self._shift)
        return self.now

    def keep(self, now: Now, *, always: bool = False) -> None:
        """Record the time in the store, in the transaction under way: with what others write, or now and then alone."""
        late, jumped = now.steady - self._kept_moment, now.shift != self._kept_shift
        if self._store.changed:
            # The first rows bring the time they are kept by: a clock that is set before the next start would move them.
            due = not self._is_kept or jumped or late >= SEEN_BUSY_MS
        else:
            due = (jumped or late >= SEEN_IDLE_MS) and now.mono >= self._alone_at
            self._alone_at = now.mono + ALONE_AGAIN_MS if due else self._alone_at
        if due or always:
            self._store.set_meta(CLOCK, pack([now.shift, now.steady]))
            # Before the commit: if it fails, ``load`` reads again what is there.
            self._kept_shift, self._kept_moment, self._is_kept = now.shift, now.steady, True
