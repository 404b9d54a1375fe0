"""The engine: calls in, one transaction, answers out. Group commit, and nothing else that waits.

::

    accept(call) ─► inbox ─► run: begin, perform each, settle, flush ─► Batch ─► commit (the shell, in a thread)
                      ▲                                                          │
                      └── calls that arrive while a commit is under way ◄────────┤
                                                     committed: answers leave ◄──┤
                                  failed: answers become StoreError, reload ◄────┘

All calls that arrive during one commit form the next transaction. No answer leaves before the commit it rests on. The engine
touches no socket, thread or clock: a shell hands it time and carries out its effects, and so does a simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ...common.errors import StoreError, TqError
from ...common.runtime.callbacks import report_bug
from ..blobs.keeper import Keeper
from ..data.named_values import Data
from ..items.consumers import Feeds
from ..items.items import Items
from ..keys.keyring import Keyring
from ..locks.claims import Syncs
from ..locks.events_and_barriers import Barriers, Events
from ..locks.locks import Locks
from ..observe.gauges import LastFailures
from ..observe.meters import Meters
from ..store.interface.store import Store
from ..tasks.attempt_output import Observations
from ..tasks.completion import Ends
from ..tasks.dispatch import Intake
from ..tasks.leases import Running
from ..tasks.origins import Origins
from ..tasks.routes import Lanes
from ..tasks.subscriptions import Watches
from ..workers.membership import Roster
from .batch import Batch
from .chores import Chores, EngineLimits
from .clock import Now, Timeline
from .endings import Endings
from .inbox import Inbox
from .jobs import Jobs
from .session import LATER, Call, Session
from .trouble import PAUSE_MS_MAX, PAUSE_MS_MIN, Chore, Trouble, Turn, readers_among
from .work import Work

BATCH_CALLS_MAX: Final = 2_000  # in one transaction, so that nobody waits long for it
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
WORKED_BYTES_MAX: Final = 1024 * 1024  # of named values, in one: a megabyte of small lists takes a second


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
        seconds: Callable[[], float] | None = None,  # of the processor: see work.py
    ) -> None:
        self.store, self.limits = store, limits
        self._report_bug = partial(report_bug, report)  # report: (action, level=…, **fields), the shell's log
        self.now = Now(0, 0)
        self.timeline = Timeline(store, report)
        self.facts: dict[str, Any] = {}  # of this master, for people: version, where it keeps its state, …
        self.shell_facts: Callable[[], dict[str, Any]] = dict  # those that change, if the shell has any
        self.running: dict[bytes, Running] = {}
        self.work, self._leasing, self._telling = Work(seconds), Work(), Work()
        self.lanes = Lanes(store)
        self.watches = Watches(store, self.lanes, self._telling)
        self.endings, self.origins, self.last_failures = Endings(), Origins(store), LastFailures()
        self.blobs = Keeper(store, report)
        parts = (store, self.lanes, self.running)
        new_lease, largest = lambda: random_bytes(16), limits.payload_bytes_max
        self.intake = Intake(*parts, self.watches, self._leasing, new_lease, largest)
        store.before_looks(lambda: self.intake.settle(self.now))
        self.ends = Ends(*parts, self.intake, self.endings, self.blobs, random)
        self.observations = Observations(store, self.running, self.ends.began)
        self.keys = Keyring(store, random_bytes, self._close_later)
        self.closing: list[tuple[Session, str]] = []  # an effect: to be closed after the answers have left
        self.sessions: dict[Session, None] = {}
        self._leaving: dict[Session, None] = {}  # said goodbye; gone when what they asked before is done
        patience = {"lease_ms": limits.lease_ms, "grace_ms": limits.grace_ms}
        close, ends = self._close_later, self.ends
        self.roster = Roster(store, self.lanes, self.running, ends, closing=close, **patience)
        gone, is_paused = self.origins.queue_deleted, self.lanes.is_paused
        self.items = Items(store, is_paused=is_paused, deleted=gone, **patience)
        self.feeds = Feeds(self.lanes, self.intake, self.items, self.origins, random_bytes, report)
        self.ends.revived = self.feeds.revived
        for listener in (self.lanes.ended, self.watches.ended, self.feeds.ended, self.last_failures.ended):
            self.endings.listen(listener)
        self.syncs = Syncs(store, moment=lambda: self.now.steady, **patience)
        self.data = Data(store, report)
        self.locks, self.events, self.barriers = Locks(self.syncs), Events(self.syncs), Barriers(self.syncs)
        self._inbox, self._jobs = Inbox(), Jobs()
        self._replies: list[Call] = []
        self._unread: StoreError | None = None  # the failure after which the store could not be read back
        self._read_at, self._read_pause_ms = 0, PAUSE_MS_MIN  # when that is tried again, monotonic ms
        work = (self.lanes, self.roster, self.items, self.syncs, self.intake, self.ends)
        rest = (self.observations, self.blobs, self.timeline, report)
        self._chores = Chores(store, lambda: self.limits, *work, *rest)
        self.trouble = Trouble([*self._chores.each, Chore("give out tasks", self._give_out)], report)

    def start(self, now: Now) -> None:
        """Take up what the store remembers."""
        self._chores.start(now)
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
        self,
        session: Session,
        call_id: int,
        run: Callable[[Call], Any],
        size_bytes: int = 0,
        rows: int = 0,
        *,
        reads: bool = False,
    ) -> None:
        """A session asks: ``run`` will be performed in the next transaction. ``rows``: what it names, ids, tasks or
        reports. ``reads``: it changes nothing, whatever happens in it. Raises QuotaExceeded."""
        call = Call(session, call_id, run, self._replies, size_bytes, rows, reads=reads)
        session.expect(call)
        self._inbox.add(call)

    def note(self, job: Callable[[], None]) -> None:
        """Something that changes memory only, to be done soon, whatever the store does."""
        self._jobs.note(job)

    def later(self, job: Callable[[], None], *, again: bool = False) -> None:
        """To be done in the next transaction, before its calls. ``again``: repeated until one succeeds, harmlessly."""
        self._jobs.add(job, again=again)

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
        if self._inbox or self._jobs.has_notes:
            return True
        if self._unread is not None:
            return False
        if self._jobs.has_jobs or self._leaving or self.watches.has_more:
            return True
        put_off = self._chores.has_more or self.intake.has_more or self.feeds.has_more
        return put_off and self.trouble.since is None

    def next_wakeup(self) -> int | None:
        """Monotonic ms at which ``run`` has something to do even if nobody calls; None: never."""
        if self._unread is not None:
            return self._read_at
        if self.trouble.since is not None:  # all else waits for its turn
            return self.trouble.wakeup()
        return self._chores.next_wakeup(self.now)

    # one transaction

    def run(self, now: Now) -> Batch:
        """Perform what is in the inbox and what is due. The shell commits, then says how that went."""
        self.now = now = self.timeline.look(now)
        for share in (self.work, self._leasing, self._telling):
            share.begin()
        batch = Batch()
        self._jobs.take_notes(self._report_bug)
        self._chores.look_for_stall(now)
        try:
            if self._unread is None or now.mono >= self._read_at:
                self._transact(batch, now)
            else:
                self._refuse_all(self._unread)
        except StoreError as error:
            self._fail(batch, error)
        except Exception as error:  # a bug, or no memory: nothing of this transaction is to be trusted
            self._fail(batch, StoreError(self._report_bug(error)))
        batch.replies, self._replies[:] = list(self._replies), []
        return batch

    def _transact(self, batch: Batch, now: Now) -> None:
        if self._unread is not None:
            self._read_back()
        readers = [] if self.trouble.since is None else readers_among(self._inbox)[:BATCH_CALLS_MAX]
        others = self._jobs.has_jobs or self._leaving or self.watches.has_more
        writes = bool(others) or len(readers) < len(self._inbox)
        turn = batch.turn = self.trouble.turn(now, reads=bool(readers), writes=writes)
        if turn is Turn.NONE:
            return
        if turn is Turn.CHORE:
            batch.chore = self.trouble.next_chore()
        self._begin(turn)
        if turn is Turn.READ:
            self._read(batch, readers)
        else:
            if batch.chore is not None:
                batch.chore.run(now)
            else:
                if turn is Turn.ALL:
                    self._chores.run(now)
                self._perform(batch)
                self._see_off()
            self._settle(now, turn)
        batch.changed = self.store.changed
        if not batch.changed:
            self.store.rollback()  # it only read

    def _begin(self, turn: Turn) -> None:
        try:
            self.store.begin(reading=turn is Turn.READ)
        except StoreError:
            if turn is not Turn.WRITE:
                raise
            self.store.begin(reading=True)  # whoever writes is told so by itself

    def _settle(self, now: Now, turn: Turn) -> None:
        """What its calls and chores came to is written."""
        if turn is Turn.ALL:
            self._give_out(now)
        else:
            self.intake.settle(now)
        self.items.settle(now)
        self.syncs.settle()
        self.data.settle()
        self.watches.flush()
        self.roster.flush()
        self.timeline.keep(now)

    def _give_out(self, now: Now) -> None:
        self.feeds.run(now)
        self.intake.settle(now)
        self.intake.feed_parked(now)

    def committed(self, batch: Batch) -> None:
        """The transaction is durable: its answers leave."""
        self.blobs.committed()
        self.watches.committed()
        self._jobs.committed()
        if batch.chore is not None and not batch.failed:
            self.trouble.succeeded(batch.chore, self.now)
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

    def _read(self, batch: Batch, readers: list[Call]) -> None:
        self._inbox.take(readers)
        for call in readers:
            if not self.work.is_left:
                self._inbox.add(call)  # for the next one
            elif call.session.open and call.call_id in call.session.calls:
                batch.calls.append(call)
                self._run(call)

    def _run(self, call: Call) -> None:
        self.work.asked(call.rows)
        try:
            if call.reads:
                self.store.settle()  # memory, too, is to show what was submitted before
            value = call.perform()
        except StoreError as error:
            if not (call.reads and self.store.in_transaction):
                self._have_connect_again(call.session)
                raise
            call.refuse(error)  # it has changed nothing: it costs nobody else
            self.trouble.failed(str(error), self.now)
        except TqError as error:
            call.refuse(error)
        except Exception as error:
            if not call.meets_bug(error):  # who knows what it has done already: memory has no rollback
                raise
            self._report_bug(error)
        else:
            if value is not LATER:
                self.work.answered(value)
                call.answer(value)

    def _perform(self, batch: Batch) -> None:
        self._jobs.do()
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
            self._run(call)

    def _see_off(self) -> None:
        """Close the sessions that said goodbye and have nothing left in the inbox."""
        if self._leaving:
            asking = {call.session for call in self._inbox}
            for session in [session for session in self._leaving if session not in asking]:
                del self._leaving[session]
                self.closed(session)

    # when the store fails

    def _fail(self, batch: Batch, error: StoreError) -> None:
        """The transaction is void. Its callers are told; memory is rebuilt from what the store really has.

        Sessions with watches or leases are closed after their answer: what they were told, or were about to be, may rest on the
        lost transaction, and reconnecting is how they say again what they hold. Of a chore done by itself it is known who was told.
        """
        self.trouble.failed(str(error), self.now, batch.chore)
        batch.failed, batch.changed = True, False
        self.intake.forget()
        self.items.forget()
        self.syncs.forget()
        self.data.forget()
        self.blobs.void()
        self._jobs.void()
        told = self.watches.void()
        for call in [*batch.calls, *batch.replies, *self._replies]:  # parked ones that it answered, too
            call.withdraw(self._report_bug)
            call.refuse(error)
            told.append(call.session)
        while self._leaving:
            self.closed(self._leaving.popitem()[0])
        touched = told if batch.turn in (Turn.CHORE, Turn.READ) else self.sessions
        for session in touched:
            if session.streams or session.node in self.roster.by_node:
                self._have_connect_again(session)
        try:
            if self._unread is None:
                self._read_back()
        except StoreError:
            self._unread = error
        if self._unread is not None:  # nothing can be done for anybody now: nobody is left waiting for it
            self._read_at = self.now.mono + self._read_pause_ms
            self._read_pause_ms = min(PAUSE_MS_MAX, 2 * self._read_pause_ms)
            self._refuse_all(self._unread)

    def _refuse_all(self, error: StoreError) -> None:
        while self._inbox:
            call = self._inbox.pop()
            call.refuse(error)
            self._have_connect_again(call.session)

    def _have_connect_again(self, session: Session) -> None:
        """Also for a call that was not done, or not to its end: it may have been its first watch."""
        if session.reconnects:
            self._close_later(session, "the store failed; connect again")

    def _read_back(self) -> None:
        """Memory from what the store really has. While this raises StoreError, nothing else is tried."""
        try:
            self.store.reopen()
            self.store.begin(reading=True)
            self._load()
            self.store.rollback()
        except Exception as error:
            if isinstance(error, StoreError):
                raise
            self._report_bug(error)  # what is read there makes no sense
            raise StoreError(f"the store cannot be read: {error!r}; restore it from a copy") from error
        self._unread, self._read_pause_ms = None, PAUSE_MS_MIN

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
