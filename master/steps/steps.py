"""The steps that tasks record while they run.

A step is recorded under the token of the attempt that did it: the task's id, the attempt and the lease. An attempt whose lease is
gone records nothing more, so a step has one record, and what is recorded is what the next attempt replays. It is stored before its
call is answered: until then a step is done at least once, from then on never again.

A step that is recorded shows that its attempt has begun, whether or not its worker has reported that yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from ...common.auth.keys import AUTHKEY_ID
from ...common.contract.rows import to_wire
from ...common.contract.steps import RecordedStep
from ...common.domain.id_runs import IdRun
from ...common.domain.model import Delivery, StateNumber, TaskOptions
from ...common.domain.steps import SLEEP, STEP_BYTES_MAX, STEPS_BYTES_MAX, STEPS_MAX, StepKind
from ...common.errors import InvalidArgument, QuotaExceeded
from ...common.wire.frames import unpack
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.steps import StepRow
from ..store.interface.store import Store
from ..tasks.leases import LeasedAttempt

PORTION_BYTES: Final = 4 * 1024 * 1024  # of recorded steps in one answer
KEY_BYTES_MAX: Final = 4 * 1024**3  # of the disk, for what steps of tasks returned and signals carry
ALL_BYTES_MAX: Final = 16 * 1024**3
DROPPED_AT_ONCE: Final = 16 * 1024 * 1024  # bytes in one transaction: some thirty milliseconds
# Tasks whose steps are dropped as soon as they succeed; those of others go with them
REMEMBERED_MAX: Final = 100_000


class Steps(Part):
    def __init__(
        self,
        store: Store,
        running: Mapping[bytes, LeasedAttempt],
        began: Callable[[list[tuple[bytes, int, bytes, float | None]], Now], object],
    ) -> None:
        self._store, self._running, self._began = store, running, began
        self._with_steps: dict[
            bytes, int
        ] = {}  # numbers of tasks that may have steps and have not ended, by id
        self._just_ended: list[tuple[bytes, int]] = []  # of those, in this transaction: id and state
        # Numbers of tasks that have succeeded; their steps are still there
        self._undropped: deque[int] = deque()

    def holder(self, id: Any, attempt: Any, lease: Any) -> LeasedAttempt | None:
        """The attempt that names itself by these; None: it is not the task's current one (any more)."""
        held = self._running.get(id) if isinstance(id, bytes) else None
        return held if held is not None and (held.attempt, held.lease) == (attempt, lease) else None

    def recorded(self, held: LeasedAttempt, after: int, now: Now) -> list[list[Any]]:
        """Steps of its task behind this one, in order; at least one if there is one."""
        rows = self._store.steps.after(held.seq, after, PORTION_BYTES)
        return [recorded_step(row, now) for row in rows]

    def record(
        self,
        id: bytes,
        held: LeasedAttempt,
        number: int,
        name: str,
        body: bytes,
        seconds: float,
        key: str,
        now: Now,
    ) -> None:
        """A function has returned. ``key``: by which it is recorded."""
        if len(body) > STEP_BYTES_MAX:
            raise InvalidArgument(f"a step's result has at most {STEP_BYTES_MAX:,} bytes, not {len(body):,}")
        if self.known(held, number, (StepKind.CALL,), name) is None:
            check_room(self._store, key, len(body))
            self.add(id, held, StepKind.CALL, number, name, now, body=body, seconds=seconds, key=key)

    def sleep(self, id: bytes, held: LeasedAttempt, number: int, seconds: float, now: Now) -> float:
        """Begin to sleep, or go on with it; how many seconds are left."""
        row = self.known(held, number, (StepKind.SLEEP,), SLEEP)
        if row is None:
            self.check_repeatable(held, "ctx.sleep")
            until = now.steady + int(seconds * 1000)
            row = self.add(id, held, StepKind.SLEEP, number, SLEEP, now, until=until, seconds=seconds)
        return left_of(row, now)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Some of these may have steps."""
        if self._with_steps:
            self._just_ended += [(id, state) for run, _, _, state, _, _ in tasks for id in self._among(run)]

    def begin(self) -> None:
        self._just_ended.clear()

    def settle(self, now: Now) -> None:
        """What tasks returned in their steps is not needed any more once they have succeeded; others may be retried."""
        for id, state in self._just_ended:
            seq = self._with_steps.pop(id, None)
            if seq is not None and state == StateNumber.SUCCEEDED:
                self._undropped.append(seq)
        self._just_ended.clear()
        left = DROPPED_AT_ONCE
        while self._undropped and left > 0:
            left -= self._store.steps.drop_bodies(self._undropped.popleft())

    def is_unsettled(self) -> bool:
        return bool(self._undropped)

    def void(self) -> Iterable[Session]:
        """Some of these tasks may not have ended after all. What is not dropped now goes with its task."""
        self._undropped.clear()
        return ()

    def _among(self, run: IdRun) -> list[bytes]:
        """Those of a run that may have steps: what is shorter is looked through."""
        if run.length <= len(self._with_steps):
            return [id for id in run.ids() if id in self._with_steps]
        first, last = run.ends()
        return [id for id in self._with_steps if first <= id <= last]

    def known(
        self, held: LeasedAttempt, number: int, kinds: Collection[StepKind], name: str
    ) -> StepRow | None:
        """The step that this number has already; then the call is repeated."""
        row = self._store.steps.get(held.seq, number)
        if row is not None and (row.kind not in kinds or row.name != name):
            raise InvalidArgument(f"step {number} of this task is {row.name!r} and cannot be {name!r}")
        return row

    def add(
        self,
        id: bytes,
        held: LeasedAttempt,
        kind: StepKind,
        number: int,
        name: str,
        now: Now,
        *,
        body: bytes | None = None,
        seconds: float | None = None,
        until: int | None = None,
        role: str | None = None,
        key: str | None = None,
    ) -> StepRow:
        """Record a step."""
        totals, size = self._store.steps.totals(held.seq), len(body or b"")
        if totals.steps >= STEPS_MAX:
            raise QuotaExceeded(f"a task has at most {STEPS_MAX:,} steps: do more in each")
        if totals.bytes + size > STEPS_BYTES_MAX:
            raise QuotaExceeded(
                f"the steps of a task return at most {STEPS_BYTES_MAX:,} bytes together: return less, such as the place "
                "where the rest is kept"
            )
        if held.begun is None:  # its worker has not reported that yet
            self._began([(id, held.attempt, held.lease, 0.0)], now)
        if len(self._with_steps) < REMEMBERED_MAX:
            self._with_steps[id] = held.seq
        row = StepRow(
            held.seq, number, int(kind), name, held.number, now.steady, seconds, until, size, body, role, key
        )
        self._store.steps.add(row)
        return row

    def check_repeatable(self, held: LeasedAttempt, what: str) -> None:
        packed = self._store.facts([held.seq])[held.seq].options
        if packed and TaskOptions.from_wire(unpack(packed)).delivery == Delivery.AT_MOST_ONCE:
            raise InvalidArgument(
                f"{what} ends the attempt and starts the task again later; this task is at_most_once and is never started twice"
            )


def check_room(store: Store, key: str, size: int) -> None:
    """Whether a key may record or send so many bytes more. Raises QuotaExceeded."""
    held = store.steps.bytes_of(key)
    remedy = "return and send less, such as the place where the rest is kept, or purge tasks that failed"
    if key != AUTHKEY_ID and held.key + size > KEY_BYTES_MAX:
        raise QuotaExceeded(
            f"steps and signals of this key take {held.key:,} bytes; at most {KEY_BYTES_MAX:,}: {remedy}"
        )
    if held.all + size > ALL_BYTES_MAX:
        raise QuotaExceeded(
            f"steps and signals of all keys take {held.all:,} bytes; at most {ALL_BYTES_MAX:,}: {remedy}"
        )


def left_of(row: StepRow, now: Now) -> float:
    """Seconds until a sleep or wait is over."""
    return 0.0 if row.until is None else max(0, row.until - now.steady) / 1000


def recorded_step(row: StepRow, now: Now) -> list[Any]:
    """As the attempt of its task gets it."""
    return to_wire(RecordedStep(row.number, row.kind, row.name, left_of(row, now), row.body))
