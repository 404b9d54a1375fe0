"""The engine: calls in, one transaction, answers out. Group commit, and nothing else that waits.

::

    accept(call) ─► inbox ─► run: begin, perform each, settle, flush ─► Batch ─► commit (the shell, in a thread)
                      ▲                                                          │
                      └── calls that arrive while a commit is under way ◄────────┤
                                                     committed: answers leave ◄──┤
                                  failed: answers become StoreError, reload ◄────┘

All calls that arrive during one commit form the next transaction. No answer leaves before the commit it
rests on. The engine touches no socket, thread or clock: a shell hands it time and carries out its
effects, and so does a simulator.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ..common.errors import StoreError, TqError
from ..common.frames import FRAME_BYTES_MAX
from .blobs.keeper import Keeper
from .clock import Now, Timeline
from .data import Data
from .endings import Endings
from .ends import Ends
from .feeds import Feeds
from .gauges import LastFailures
from .inbox import Inbox
from .intake import Intake
from .items import Items
from .keyring import Keyring
from .lanes import Lanes
from .locks import Locks
from .meetings import Barriers, Events
from .meters import Meters
from .observations import Observations
from .origins import Origins
from .roster import Roster
from .running import Running
from .sessions import LATER, Call, Session
from .store.interface import Store
from .syncs import Syncs
from .watches import Watches
from .work import Work

BATCH_CALLS_MAX: Final = 2_000  # in one transaction, so that nobody waits long for it
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
WORKED_BYTES_MAX: Final = 1024 * 1024  # of named values, in one: a megabyte of small lists takes a second
CHORE_TASKS_MAX: Final = 1_000  # promoted, expired or purged in one transaction
PURGE_EVERY_MS: Final = 10_000
STALL_TICKS: Final = (
    0.25  # a tick that comes later than this much of one was held up: the process stood still
)


ENVELOPE_BYTES_MAX: Final = 4 * 1024  # of a frame that carries one payload: names, ids, options


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineLimits:
    """The durations and bounds the engine decides by."""

    lease_ms: int = 20_000
    grace_ms: int = 3_000
    tick_ms: int = 5_000
    result_ttl_ms: int = 7 * 24 * 3_600_000
    results_max: int = 1_000_000
    payload_bytes_max: int = FRAME_BYTES_MAX - ENVELOPE_BYTES_MAX


@dataclass(slots=True)
class Batch:
    """What one transaction did: its answers, and whether it has to be made durable first."""

    replies: list[Call] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    changed: bool = False
    failed: bool = False  # it is void, its callers are told so


class Engine:
    """The state of one master, and the only one that changes it."""

    def __init__(
        self,
        store: Store,
        limits: EngineLimits,
        *,
        random: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        report: Callable[..., None],
    ) -> None:
        self.store, self.limits = store, limits
        self._report = report  # (action, level=…, **fields): the shell's log
        self.now = Now(0, 0)
        self.timeline = Timeline(store, report)
        self.facts: dict[str, Any] = {}  # of this master, for people: version, where it keeps its state, …
        self.shell_facts: Callable[[], dict[str, Any]] = dict  # those that change, if the shell has any
        self.running: dict[bytes, Running] = {}
        self.work, self._leasing, self._telling = Work(), Work(), Work()
        self.lanes = Lanes(store)
        self.watches = Watches(store, self.lanes, self._telling)
        self.endings, self.origins, self.last_failures = Endings(), Origins(store), LastFailures()
        self.blobs = Keeper(store, report)
        self.intake = Intake(
            store,
            self.lanes,
            self.running,
            self.watches,
            self._leasing,
            lambda: random_bytes(16),
            limits.payload_bytes_max,
        )
        self.ends = Ends(store, self.lanes, self.running, self.intake, self.endings, self.blobs, random)
        self.observations = Observations(store, self.running, self.ends.began)
        self.keys = Keyring(store, random_bytes, self._close_later)
        self.closing: list[tuple[Session, str]] = []  # an effect: to be closed after the answers have left
        self.sessions: dict[Session, None] = {}
        self._leaving: dict[Session, None] = {}  # said goodbye; gone when what they asked before is done
        self.roster = Roster(
            store,
            self.lanes,
            self.running,
            self.ends,
            lease_ms=limits.lease_ms,
            grace_ms=limits.grace_ms,
            closing=self._close_later,
        )
        self.items = Items(
            store,
            lease_ms=limits.lease_ms,
            grace_ms=limits.grace_ms,
            is_paused=self.lanes.is_paused,
            deleted=self.origins.queue_deleted,
        )
        self.feeds = Feeds(self.lanes, self.intake, self.items, self.origins, random_bytes, report)
        self.ends.revived = self.feeds.revived
        for listener in (self.lanes.ended, self.watches.ended, self.feeds.ended, self.last_failures.ended):
            self.endings.listen(listener)
        self.syncs = Syncs(
            store, lease_ms=limits.lease_ms, grace_ms=limits.grace_ms, moment=lambda: self.now.steady
        )
        self.data = Data(store, report)
        self.locks, self.events, self.barriers = Locks(self.syncs), Events(self.syncs), Barriers(self.syncs)
        self._inbox = Inbox()
        self._jobs: deque[Callable[[], None]] = deque()  # nobody's calls; done first, all of them
        self._replies: list[Call] = []
        self._ticked = 0
        self._purge_at = 0
        self._purge_more = False
        self._unread: StoreError | None = None  # the failure after which the store could not be read back
        self.failure = ""  # the last one, for people

    def start(self, now: Now) -> None:
        """Take up what the store remembers."""
        self._ticked = now.mono
        self._purge_at = now.mono + PURGE_EVERY_MS
        self.store.begin()
        self.timeline.load()
        self.now = self.timeline.start(now)
        self._load()
        self.store.rollback()

    def measure(self, meters: Meters) -> None:
        """Have everything counted from now on."""
        self.intake.meters = self.ends.meters = meters
        self.endings.listen(meters.ended)

    # intake

    def call(
        self, session: Session, call_id: int, run: Callable[[Call], Any], size_bytes: int = 0, rows: int = 0
    ) -> None:
        """A session asks: ``run`` will be performed in the next transaction. ``rows``: what it names, ids, tasks or
        reports. Raises QuotaExceeded."""
        call = Call(session, call_id, run, self._replies, size_bytes, rows)
        session.expect(call)
        self._inbox.add(call)

    def later(self, job: Callable[[], None]) -> None:
        """Something nobody waits for, to be done in the next transaction, before its calls."""
        self._jobs.append(job)

    def opened(self, session: Session) -> None:
        self.sessions[session] = None
        self.items.opened(session)
        self.syncs.opened(session)

    def closed(self, session: Session) -> None:
        """A connection is gone: what it waited for is forgotten, what it held gets its grace."""
        session.open = False
        self.sessions.pop(session, None)
        for call in list(session.calls.values()):
            if call.abandon is not None:
                call.abandon()
        session.settle_all()
        self.watches.close(session)
        if self.roster.is_of(session):
            self.feeds.forget(session.node)
        self.roster.session_closed(session, self.now)
        self.items.closed(session, self.now)
        self.syncs.closed(session, self.now)

    def leaving(self, session: Session) -> None:
        """A session said goodbye: what it asked before is done, then it is closed."""
        self._leaving[session] = None

    def abandoned(self, session: Session, call_id: int) -> None:
        """The caller no longer waits for this call."""
        call = session.settle(call_id)
        if call is not None and call.abandon is not None:
            call.abandon()

    @property
    def connections(self) -> list[Session]:
        """The sessions but for those of workers' children."""
        return [session for session in self.sessions if not session.is_child]

    @property
    def has_work(self) -> bool:
        return bool(self._inbox or self._jobs or self._leaving or self._put_off()) or self._purge_more

    def _put_off(self) -> bool:
        """Whether something that was due had to wait for the next transaction."""
        return self.intake.has_more or self.watches.has_more or self.feeds.has_more

    def next_wakeup(self) -> int | None:
        """Monotonic ms at which ``run`` has something to do even if nobody calls; None: never."""
        moments = [*self.items.deadlines(), *self.syncs.deadlines(), *self.intake.dues.deadlines(self.now)]
        if self.roster.watching:
            moments.append(self._ticked + self.limits.tick_ms)
            moments += self.roster.deadlines()
        if self.lanes.finished():
            moments.append(self._purge_at)
        blobs = self.blobs.next_wakeup()
        if blobs is not None:
            moments.append(blobs)
        return min(moments, default=None)

    # one transaction

    def run(self, now: Now) -> Batch:
        """Perform what is in the inbox and what is due. The shell commits, then says how that went."""
        self.now = now = self.timeline.look(now)
        for share in (self.work, self._leasing, self._telling):
            share.begin()
        batch = Batch()
        try:
            if self._unread is not None:
                self._read_back()
            self.store.begin()
            self._chores(now)
            self._perform(batch)
            self._see_off()
            self.feeds.run(now)
            self.intake.settle(now)
            self.items.settle(now)
            self.syncs.settle()
            self.data.settle()
            self.watches.flush()
            self.roster.flush()
            self.timeline.keep(now)
            batch.changed = self.store.changed
            if not batch.changed:
                self.store.rollback()  # it only read
        except StoreError as error:
            self._fail(batch, error)
        except Exception as error:  # a bug: nothing of this transaction is to be trusted
            self._report("master.bug", level="error", error="".join(traceback.format_exception(error)))
            self._fail(batch, StoreError(f"the master has a bug: {error!r}; its log says more"))
        batch.replies, self._replies[:] = list(self._replies), []
        return batch

    def committed(self, batch: Batch) -> None:
        """The transaction is durable: its answers leave."""
        self.blobs.committed()
        for call in batch.replies:
            session = call.session
            if session.open and session.settle(call.call_id) is not None:
                session.wire.send(call.frame or session.wire.encode(call))
        self._close_sessions()

    def commit_failed(self, batch: Batch, error: StoreError) -> None:
        """Nobody knows what reached the disk: say so, and build the picture anew."""
        self._fail(batch, error)
        batch.replies = list(dict.fromkeys([*batch.replies, *self._replies]))
        self._replies.clear()
        self.committed(batch)

    def _perform(self, batch: Batch) -> None:
        while self._jobs:
            self._jobs.popleft()()
        size = 0
        while (
            self._inbox
            and len(batch.calls) < BATCH_CALLS_MAX
            and size < BATCH_BYTES_MAX
            and self.work.is_left
            and self.data.worked_bytes < WORKED_BYTES_MAX
        ):
            call = self._inbox.pop()
            if not call.session.open or call.call_id not in call.session.calls:
                continue
            batch.calls.append(call)
            size += call.size_bytes
            self.work.asked(call.rows)
            try:
                value = call.perform()
            except StoreError:
                self._have_connect_again(call.session)
                raise
            except TqError as error:
                call.refuse(error)
            else:
                if value is not LATER:
                    self.work.answered(value)
                    call.answer(value)

    def _see_off(self) -> None:
        """Close the sessions that said goodbye and have nothing left in the inbox."""
        if self._leaving:
            asking = {call.session for call in self._inbox}
            for session in [session for session in self._leaving if session not in asking]:
                del self._leaving[session]
                self.closed(session)

    def _chores(self, now: Now) -> None:
        """What is due by the clock, in bounded portions."""
        gap = now.mono - self._ticked
        if self.roster.watching and gap > self.limits.tick_ms * (1 + STALL_TICKS):
            self._report("master.stalled", level="warning", seconds=gap / 1000)
            self.roster.stalled(gap)
            self.items.stalled(gap)
            self.syncs.stalled(gap)
        self._ticked = now.mono
        self.roster.tick(now)
        self.items.tick(now)
        self.syncs.tick(now)
        self.intake.dues.promote(now, CHORE_TASKS_MAX)
        if not self.timeline.jumped:  # then nothing ends, in a tick whose time is in doubt
            if self.intake.dues.has_expired(now):
                self.ends.expire(now, CHORE_TASKS_MAX)
                self.intake.dues.expired()
            if self._purge_more or now.mono >= self._purge_at:
                self._purge(now)
        self.blobs.chores(now)

    def _purge(self, now: Now) -> None:
        """Forget results that are too old or too many, oldest first."""
        surplus = min(CHORE_TASKS_MAX, self.lanes.finished() - self.limits.results_max)
        rows = self.store.purge(now.steady - self.limits.result_ttl_ms, CHORE_TASKS_MAX)
        if surplus > len(rows):
            rows += self.store.purge(now.steady, surplus - len(rows))
        for lane, state in rows:
            self.lanes.by_number[lane].counts[state] -= 1
        trimmed = self.observations.trim()
        self._purge_more = trimmed or len(rows) >= CHORE_TASKS_MAX
        if not self._purge_more:
            self._purge_at = now.mono + PURGE_EVERY_MS
            self.store.forget_workers(now.steady - self.limits.result_ttl_ms)

    # when the store fails

    def _fail(self, batch: Batch, error: StoreError) -> None:
        """The transaction is void. Its callers are told; memory is rebuilt from what the store really has.

        Sessions with watches or leases are closed after their answer: what they were told, or were about
        to be, may rest on the lost transaction, and reconnecting is how they say again what they hold.
        """
        if self._unread is None:
            self._report("store.failed", level="error", error=str(error))
        batch.failed, batch.changed, self.failure = True, False, str(error)
        self.intake.forget()
        self.items.forget()
        self.syncs.forget()
        self.data.forget()
        self.blobs.void()
        for call in [*batch.calls, *batch.replies, *self._replies]:  # parked ones that it answered, too
            if call.abandon is not None:
                call.abandon()
                call.abandon = None
            call.refuse(error)
        while self._leaving:
            self.closed(self._leaving.popitem()[0])
        for session in self.sessions:
            if session.streams or session.node in self.roster.by_node:
                self._have_connect_again(session)
        try:
            if self._unread is None:
                self._read_back()
        except StoreError:
            self._unread = error
        if self._unread is not None:  # nothing can be done for anybody now: nobody is left waiting for it
            while self._inbox:
                call = self._inbox.pop()
                call.refuse(self._unread)
                self._have_connect_again(call.session)

    def _have_connect_again(self, session: Session) -> None:
        """Also for a call that was not done, or not to its end: it may have been its first watch."""
        if session.reconnects:
            self._close_later(session, "the store failed; connect again")

    def _read_back(self) -> None:
        """Memory from what the store really has. While this raises StoreError, nothing else is tried."""
        self.store.reopen()
        self.store.begin()
        self._load()
        self.store.rollback()
        if self._unread is not None:
            self._unread = None
            self._report("store.recovered")

    def _load(self) -> None:
        picture = self.store.load()
        self.lanes.load(picture)
        self.origins.load(picture)
        self.running.clear()
        self.ends.cancelling.clear()
        for row in picture.running:
            number = row.attempt - row.returned
            self.running[row.id] = Running(
                row.seq, row.lane, row.attempt, number, row.lease, row.worker, False, row.origin
            )
            if row.cancel:
                self.ends.cancelling.add(row.id)
        self.intake.last_seq = picture.last_seq
        self.intake.dues.load()
        self.timeline.load()
        self.roster.load(picture, self.now)
        self.items.load(self.now)
        self.syncs.load(self.now)
        self.data.load()
        self.keys.load()

    def _close_later(self, session: Session, reason: str) -> None:
        self.closing.append((session, reason))

    def _close_sessions(self) -> None:
        closing, self.closing = self.closing, []
        for session, reason in closing:
            if session.open:
                session.wire.disconnect(reason)
