"""What the parts for tasks ask of parts that are made after them, because those end tasks, or submit tasks of their own.

``Consulted`` is made before all of them and complete before the first transaction: ``master/parts.py`` sets each of its
fields, in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ...common.domain.columns import FailureHandler
from ...common.domain.id_runs import IdRun
from ...common.domain.lifecycle import NextStep
from ...common.domain.limits import Limit
from ...common.domain.model import OutcomeNumber, StateNumber, TaskOptions
from ..engine.clock import Now
from ..engine.session import Call, Session
from ..store.interface.dependencies import StateSpan
from ..store.interface.queries import Found
from ..store.interface.slices import LeasedSlice
from ..store.interface.tasks import Leased
from .leases import LeasedAttempt
from .origins import FlowOrigins
from .plan import Submission, SubmitCall
from .submitted import NewRun
from .unique_call import UniqueCall


class NeedsKeeper(Protocol):
    """Which tasks need others: ``master/dependencies``."""

    @property
    def are_open(self) -> bool:
        """Whether any task that has not ended needs others."""

    def check(self, session: Session, runs: list[NewRun], options: TaskOptions) -> None:
        """Raises InvalidArgument for tasks that need what is not there, or not for this key."""

    def accepted(self, submission: Submission, now: Now) -> None:
        """Tasks that need others are stored, as blocked."""

    def is_needed(self, run: IdRun) -> bool:
        """Whether a task that has not ended needs any of these, in this shard or another."""

    def needs_of(self, id: bytes) -> Sequence[IdRun]:
        """What a task that has not ended needs."""

    def states(self, id: bytes, run: IdRun) -> Iterable[StateSpan]:
        """Of a run that it needs, in order; of tasks of other shards only whether they have ended, and how."""

    def carried(self, rows: list[Leased | LeasedSlice]) -> list[Leased | LeasedSlice]:
        """What was leased for one answer, the payloads of tasks that need others with what they need."""

    def revived(self, found: Found) -> StateNumber:
        """Where a task goes that is to run again; its own state: it stays."""


class BecomingKeeper(Protocol):
    """Which tasks became others: ``master/dependencies``."""

    def judged(
        self, id: bytes, body: bytes | None, may_see: Callable[[int], bool]
    ) -> tuple[OutcomeNumber, bytes]:
        """How an attempt ended that returned the handle of another task."""

    def began(self, id: bytes, seq: int, body: bytes | None) -> None:
        """A task waits from now on for the one that it became."""

    def other_of(self, id: bytes) -> bytes | None:
        """What a task that waits became."""

    def revived(self, seq: int) -> None:
        """A task is to run again."""


class SignalsKeeper(Protocol):
    """Which tasks wait for a signal: ``master/steps``."""

    def may_go_on(self, seq: int) -> bool:
        """Whether that for which a task waits without a slot has come."""


class ParentKeeper(Protocol):
    """Which task has submitted which: ``parents.py``."""

    def of(self, named: Any) -> bytes | None:
        """Of what a submit says. Raises InvalidArgument."""

    def accepted(self, submission: Submission) -> None:
        """Tasks that were submitted inside one are stored."""


class QuotaKeeper(Protocol):
    """What the tasks of keys with a quota come to: ``key_quotas.py``."""

    def owner(self, key_id: str) -> str:
        """The key that tasks are counted for; empty: it has no quota."""

    def noted(self, submission: Submission) -> None:
        """Tasks of a submit are accepted, and written later in this transaction."""

    def written(self, submission: Submission) -> None: ...
    def dropped(self) -> None:
        """What was accepted is written, or never will be."""

    def revived(self, found: Found) -> None:
        """A task that had ended is to run again."""


class KnownKeys(Protocol):
    """The keys of the cluster: ``master/keys``."""

    def tenant_of(self, key_id: str) -> str:
        """Of all tasks that a key submits; empty: they say it themselves."""


class DeclaredLimits(Protocol):
    """What holds under the name of each limit: ``master/limits``."""

    def declare(self, limit: Limit, session: Session) -> None:
        """A submit names a limit. Raises InvalidArgument or QuotaExceeded when there is no room for another one."""

    def declare_again(self, limit: Limit, key: str) -> None:
        """The master makes a task that was declared with a limit: it holds from now on, if nothing does under its name."""


class BoundKeeper(Protocol):
    """Queues with a bound: ``full_queues.py``."""

    def submit(self, said: SubmitCall, runs: list[NewRun]) -> object:
        """A submit to such a queue, which may wait. Raises Full and WouldDeadlock."""


class HandlerKeeper(Protocol):
    """What is made of tasks that end without success: ``failure_handlers.py``."""

    def packed(self, handler: FailureHandler | None, call: Call) -> bytes:
        """Of the tasks of a submit. Raises InvalidArgument, Forbidden and QuotaExceeded."""


class UniqueKeeper(Protocol):
    """Tasks that are the same by a key: ``uniques.py``."""

    def admits(self, submission: Submission, said: UniqueCall) -> bool:
        """Whether any of its tasks is to be stored; it has no others any more. If none is, its call is answered. Raises
        TaskConflict."""

    def written(self, submission: Submission, said: UniqueCall) -> None:
        """Its tasks are stored, those that were not before."""

    def dropped(self) -> None:
        """Nothing that was admitted is still to be written."""


class KnownWorkers(Protocol):
    """Which workers are here or expected: ``master/workers``."""

    @property
    def by_number(self) -> Collection[int]: ...


class StruckKeeper(Protocol):
    """Tasks that strikes hold back by their arguments: ``struck_tasks.py``."""

    @property
    def on_tasks(self) -> Mapping[int, object]:
        """These strikes. Without one nothing is compared."""

    def divide(self, submissions: Iterable[Submission], now: Now) -> None:
        """Tasks that are ready at once say in which lanes strikes hold them."""

    def compare_arrived(self) -> None:
        """What became ready is compared, before any of it is given out."""


class AttemptListener(Protocol):
    """Who is notified of attempts that ended without success: ``master/observe``."""

    def ended(
        self,
        ids: Sequence[bytes],
        held: LeasedAttempt,
        outcome: OutcomeNumber,
        body: bytes | None,
        steps: Sequence[NextStep],
    ) -> None:
        """Attempts of these tasks ended alike. ``held``: the lease of the first one; they are of one route, worker and number.
        ``steps``: what follows for each; only how long they wait differs."""


class Consulted:
    __slots__ = (
        "attempts",
        "becomings",
        "bounds",
        "flows",
        "handlers",
        "keys",
        "limits",
        "needs",
        "parents",
        "quotas",
        "signals",
        "struck",
        "uniques",
        "workers",
    )

    needs: NeedsKeeper
    becomings: BecomingKeeper
    flows: FlowOrigins
    limits: DeclaredLimits
    parents: ParentKeeper
    signals: SignalsKeeper
    workers: KnownWorkers
    attempts: AttemptListener
    bounds: BoundKeeper
    uniques: UniqueKeeper
    handlers: HandlerKeeper
    keys: KnownKeys
    quotas: QuotaKeeper
    struck: StruckKeeper
