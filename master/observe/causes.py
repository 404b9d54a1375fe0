"""Why tasks have failed, summed up by queue, callable, type of error and place in the user's code, over restarts.

::

    an attempt without success ─► its cause, in memory ─► settle: a row in the same transaction as the end of the task

So a count is right after a kill -9: it is committed with what it counts. Bounded: so many causes in all and of a callable; the one that
occurred longest ago gives way. The rows stand in a ring of the store's series, and a failure is read by its head and its tail alone; when
very many fail in one transaction, the rest of it is counted to the last cause of their callable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from ...common.contract.observe import CauseRow
from ...common.domain.causes import TEXT_CHARS_MAX, Cause, CodePlace, place_of, unpacked
from ...common.domain.lifecycle import NextStep
from ...common.domain.model import OutcomeNumber
from ...common.errors import ProtocolError
from ...common.values.failure import Failure
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.part import Part
from ..store.interface.store import Picture
from ..tasks.consulted import AttemptListener
from ..tasks.leases import LeasedAttempt
from ..tasks.routes import Routes
from ..workers.membership import Membership
from .attempt_log import counts_as_failed

CAUSES_MAX: Final = 500
OF_CALLABLE_MAX: Final = 50
READ_MAX: Final = 500  # failures of one transaction that are looked into
RING: Final = 0  # where they stand among the series, whose steps are longer
AGE_MS_MAX: Final = 90 * 86_400_000  # of one that did not occur again


class Causes(Part):
    """See ``AttemptListener``."""

    def __init__(self, core: Core, routes: Routes, membership: Membership) -> None:
        self._store, self._timeline = core.store, core.timeline
        self._routes, self._membership = routes, membership
        self._causes: dict[tuple[str, str, str, str], Cause] = {}
        self._places: dict[tuple[str, str, str, str], int] = {}
        self._of_callable: Counter[str] = Counter()
        self._last: dict[int, Cause] = {}  # by route, in the transaction under way
        self._changed: dict[tuple[str, str, str, str], Cause] = {}
        self._read = 0

    def load(self, picture: Picture, now: Now) -> None:
        for known in (self._causes, self._places, self._of_callable, self._changed, self._last):
            known.clear()
        for slot, body in self._store.series.rows(RING, -1, CAUSES_MAX):
            try:
                cause = unpacked(body)
            except ProtocolError:  # of another version: its place is written over
                continue
            if now.steady - cause.last <= AGE_MS_MAX:
                self._keep(cause, slot % CAUSES_MAX)

    def begin(self) -> None:
        self._read = 0
        self._last.clear()

    def ended(
        self,
        ids: Sequence[bytes],
        held: LeasedAttempt,
        outcome: OutcomeNumber,
        body: bytes | None,
        steps: Sequence[NextStep],
    ) -> None:
        if not counts_as_failed(outcome, steps[0].state):
            return
        now = self._timeline.now.steady
        place, failure = CodePlace(), Failure("", "")
        cause = self._last.get(held.route)
        # The last one may have given way to another one of this transaction.
        if cause is None or self._read < READ_MAX or self._causes.get(cause.key) is not cause:
            self._read += 1
            failure, place = _what_failed(body)
            kind = failure.type or f"({outcome})".lower()
            cause = self._last[held.route] = self._cause(held.route, kind[:TEXT_CHARS_MAX], place.where)
        worker = self._membership.by_number.get(held.worker)
        info = None if worker is None else worker.info
        host, version = ("", "") if info is None else (info.host, info.version_of_code)
        cause.add(
            now,
            ids[-1],
            place.line or cause.line,
            failure.message or cause.message,
            host,
            version,
            is_final=steps[0].state.is_terminal,
            times=len(ids),
        )
        self._changed[cause.key] = cause

    def settle(self, now: Now) -> None:
        for key, cause in self._changed.items():
            # The slot orders them by age and says the place, so that each is found again there.
            place = self._places[key]
            slot = cause.last // CAUSES_MAX * CAUSES_MAX + place
            self._store.series.put(RING, place, slot, cause.packed())
        self._changed.clear()

    def rows(self, allows_queue: Callable[[str], bool], limit: int) -> list[CauseRow]:
        """The one that occurred last first."""
        now = self._timeline.now
        causes = sorted(self._causes.values(), key=lambda one: -one.last)
        seen = [one for one in causes if allows_queue(one.queue)][:limit]
        return [
            CauseRow(
                one.queue,
                one.name,
                one.kind,
                one.where,
                one.line,
                one.message,
                one.newest,
                one.failed,
                one.retried,
                now.shown(one.first),
                now.shown(one.last),
                one.hourly(now.steady),
                dict(one.hosts),
                dict(one.versions),
            )
            for one in seen
        ]

    def _cause(self, route: int, kind: str, where: str) -> Cause:
        found = self._routes.by_number[route]
        key = found.queue.name, found.task, kind, where
        cause = self._causes.get(key)
        if cause is None:
            place = self._room(found.task)
            cause = Cause(queue=key[0], name=key[1], kind=kind, where=where)
            self._keep(cause, place)
        return cause

    def _keep(self, cause: Cause, place: int) -> None:
        self._causes[cause.key], self._places[cause.key] = cause, place
        self._of_callable[cause.name] += 1

    def _room(self, name: str) -> int:
        """A free place; the oldest cause gives its own, of this callable if that has very many."""
        if self._of_callable[name] < OF_CALLABLE_MAX and len(self._causes) < CAUSES_MAX:
            taken = set(self._places.values())
            return next(place for place in range(CAUSES_MAX) if place not in taken)
        is_of_many = self._of_callable[name] >= OF_CALLABLE_MAX
        of_it = [one for one in self._causes.values() if not is_of_many or one.name == name]
        oldest = min(of_it, key=lambda one: one.last)
        del self._causes[oldest.key]
        self._changed.pop(oldest.key, None)
        self._of_callable[oldest.name] -= 1
        return self._places.pop(oldest.key)


@lru_cache(maxsize=16)
def _what_failed(body: bytes | None) -> tuple[Failure, CodePlace]:
    """Tasks of a map that fail mostly fail alike: what they report is read once."""
    failure = Failure.without_detail(body)
    return failure, place_of(failure.traceback)


class AttemptEnds:
    """Tells several of attempts that ended without success."""

    def __init__(self, *listeners: AttemptListener) -> None:
        self._listeners = listeners

    def ended(
        self,
        ids: Sequence[bytes],
        held: LeasedAttempt,
        outcome: OutcomeNumber,
        body: bytes | None,
        steps: Sequence[NextStep],
    ) -> None:
        for listener in self._listeners:
            listener.ended(ids, held, outcome, body, steps)
