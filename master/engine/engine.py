"""The engine: calls in, one transaction, answers out. Group commit, and nothing else that waits.

::

    accept(call) ─► inbox ─► run: begin, perform each, settle, flush ─► Transaction ─► commit (the shell, in a thread)
                      ▲                                                          │
                      └── calls that arrive while a commit is under way ◄────────┤
                                                     committed: answers leave ◄──┤
                                  failed: answers become StoreError, reload ◄────┘

All calls that arrive during one commit form the next transaction. No answer leaves before the commit it rests on. The engine
touches no socket, thread or clock: a shell hands it time and carries out its effects, and so does a simulator.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ...common.contract.observe import MasterRow
from ...common.errors import StoreError
from ...common.runtime.callbacks import report_bug
from .call_runner import BATCH_CALLS_MAX, CallRunner
from .clock import Now
from .core import Core
from .inbox import Inbox
from .jobs import Jobs
from .limits import EngineLimits
from .open_sessions import OpenSessions
from .part import Part
from .parts import Parts
from .reloading import Reloading
from .session import Call, Session
from .stalls import Stalls
from .transaction import Transaction
from .trouble import Chore, Trouble, Turn, readers_among
from .work import Work

LAST_TRIED: Final = "last_tried"  # the row by which a master in trouble sees whether its store takes one


class Engine:
    """The state of one master, and the only code that changes it. It knows its parts only as ``Part``s."""

    def __init__(self, core: Core, parts: Sequence[Part]) -> None:
        """``parts``: in the order in which each of their methods is called; of each class at most one."""
        self.core, self.store = core, core.store
        self.presence, self.endings, self.timeline = core.presence, core.endings, core.timeline
        self._agenda = core.agenda
        self._report_bug = partial(report_bug, core.report)
        self.now = Now(0, 0)
        self.facts: dict[str, Any] = {}  # of this master, for people: version, where it keeps its state, …
        self.shell_facts: Callable[[], dict[str, Any]] = dict  # those that change, if the shell has any
        self.masters: Callable[[], Sequence[MasterRow]] = tuple  # of the cluster, as the shell knows them
        self.work = Work(core.seconds)
        self._inbox, self._jobs = Inbox(), Jobs()
        self._replies: list[Call] = []
        self._numbers = itertools.count(1)  # of transactions
        self._stalls = Stalls(core)
        self.presence.tell(parts)
        self._parts = Parts([self.presence, core.room, *parts], core.agenda)
        self.part = self._parts.of
        self.sessions = OpenSessions(core, lambda session: self._parts.closed(session, self.now))
        self.trouble = Trouble(
            [
                Chore("write a row", self._write_a_row),
                *self._parts.chores(),
                Chore("give out tasks", self._parts.give_out),
            ],
            core.report,
        )
        self._calls = CallRunner(
            self._inbox,
            self.work,
            self.store,
            self.trouble,
            self.sessions.have_reconnect,
            self._parts.are_full,
            self._report_bug,
        )
        self._reloading = Reloading(self.store, self._load, self._report_bug)

    @property
    def limits(self) -> EngineLimits:
        return self.core.limits

    def start(self, now: Now) -> None:
        """Load what the store has."""
        self._stalls.start(now)
        self.store.begin()
        self.timeline.load()
        self.now = self.timeline.start(now)
        self._load()
        # Loading only reads, and a transaction that is left open would hold the store's lock.
        self.store.rollback()

    # what the shell brings

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
        """A session's call: ``run`` is performed in the next transaction. ``rows``: how many ids, tasks or reports it names.
        ``reads``: it changes nothing, even if it fails. Raises QuotaExceeded."""
        call = Call(session, call_id, run, self._replies, size_bytes, rows, reads=reads)
        # First: it may refuse the call, which then must not be in the inbox.
        session.expect(call)
        self._inbox.add(call)

    def note(self, job: Callable[[], None]) -> None:
        """Do soon what changes memory only, even while the store fails."""
        self._jobs.note(job)

    def later(self, job: Callable[[], None], *, again: bool = False) -> None:
        """Do this in the next transaction, before its calls. ``again``: repeat it until one succeeds; it may be done twice."""
        self._jobs.add(job, again=again)

    def abandoned(self, session: Session, call_id: int) -> None:
        """The caller no longer waits for this call."""
        call = session.settle(call_id)
        if call is not None and call.abandon is not None:
            call.abandon()

    @property
    def has_work(self) -> bool:
        """Whether ``run`` has something to do at once."""
        if self._inbox or self._jobs.has_notes:
            return True
        if self._reloading.error is not None:
            return False
        if self._has_other_work():
            return True
        # In trouble what is left over waits for the chore that gives out tasks.
        return self.trouble.since is None and self._parts.have_more()

    def _has_other_work(self) -> bool:
        """Than calls: also while the store is in trouble."""
        jobs = self._jobs.has_jobs or self.sessions.some_are_leaving
        return jobs or self._parts.are_unsettled()

    def next_wakeup(self) -> int | None:
        """Monotonic ms at which ``run`` has something to do even without a call; None: never."""
        if self._reloading.error is not None:
            return self._reloading.at
        if self.trouble.since is not None:  # all else waits for its turn
            return self.trouble.wakeup()
        moments = self._stalls.next_look(), self._agenda.next_wakeup(self.now)
        return min((one for one in moments if one is not None), default=None)

    # one transaction

    def run(self, now: Now) -> Transaction:
        """Perform what is in the inbox and what is due. The shell commits, then says how that went."""
        self.now = now = self.timeline.look(now)
        # Also of a transaction that is refused: shares of the last one must not be left.
        self._parts.begin()
        transaction = Transaction(next(self._numbers))
        # Memory only: done even while the store fails.
        self._jobs.take_notes(self._report_bug)
        self._stalls.look(now)
        try:
            if self._reloading.must_wait(now):
                self._refuse_all()
            else:
                self._transact(transaction, now)
        except StoreError as error:
            self._fail(transaction, error)
        except Exception as error:  # a bug, or no memory: nothing of this transaction is to be trusted
            self._fail(transaction, StoreError(self._report_bug(error)))
        # The list itself is emptied: every call holds a reference to it.
        transaction.replies, self._replies[:] = list(self._replies), []
        return transaction

    def _transact(self, transaction: Transaction, now: Now) -> None:
        if self._reloading.error is not None:
            # Before anything is performed: memory may be of a transaction that is lost.
            self._reloading.read()
        # Only in trouble: else every call has its place in one transaction, and to look for readers would cost each of them.
        readers = [] if self.trouble.since is None else readers_among(self._inbox)[:BATCH_CALLS_MAX]
        writes = self._has_other_work() or len(readers) < len(self._inbox)
        turn = transaction.turn = self.trouble.turn(now, reads=bool(readers), writes=writes)
        if turn is Turn.NONE:
            return
        if turn is Turn.CHORE:
            transaction.chore = self.trouble.next_chore(now)
        self._begin(turn)
        if turn is Turn.READ:
            self.work.begin()
            self._calls.read(transaction, readers, now)
        else:
            if transaction.chore is not None:
                transaction.chore.run(now)
            else:
                if turn is Turn.ALL:
                    self._parts.do_due(now)
                self._jobs.do()
                self.work.begin()  # chores that take long, each time, leave calls their share all the same
                self._calls.perform(transaction, now)
                if self.sessions.some_are_leaving:
                    self.sessions.close_leaving({call.session for call in self._inbox})
            self._settle(now, turn)
        transaction.changed = self.store.changed
        if not transaction.changed:
            self.store.rollback()  # it only read

    def _begin(self, turn: Turn) -> None:
        try:
            self.store.begin(reading=turn is Turn.READ, at_once=turn is Turn.WRITE)
        except StoreError:
            if turn is not Turn.WRITE:
                raise
            self.store.begin(reading=True)  # a call that writes fails by itself, and says so

    def _settle(self, now: Now, turn: Turn) -> None:
        """What its calls and chores came to is written."""
        if turn is Turn.ALL:
            # Before it is settled: what is given out is written in this transaction.
            self._parts.give_out(now)
        self._parts.settle(now)
        self.timeline.keep(now)

    def _write_a_row(self, now: Now) -> None:
        """While there is trouble: does the store take a row?"""
        self.store.set_meta(LAST_TRIED, str(now.steady).encode())

    def committed(self, transaction: Transaction) -> None:
        """The transaction is durable: its answers leave."""
        self._parts.committed()
        self._jobs.committed()
        if transaction.chore is not None and not transaction.failed:
            self.trouble.succeeded(transaction.chore, self.now)
        # After the parts have noted that it is durable, and before connections are closed that wait for one.
        transaction.send_answers()
        self.sessions.disconnect_due()

    def commit_failed(self, transaction: Transaction, error: StoreError) -> None:
        """It is not known what reached the disk: the callers get an error that says so, and memory is loaded again."""
        self._fail(transaction, error)
        # Answers of both kinds were about to leave: each call is refused once.
        transaction.replies = list(dict.fromkeys([*transaction.replies, *self._replies]))
        self._replies.clear()
        # As of one that succeeded: what leaves are refusals, and the parts are void, so they have nothing to make durable.
        self.committed(transaction)

    # when the store fails

    def _fail(self, transaction: Transaction, error: StoreError) -> None:
        """The transaction is void: its callers get the error, and memory is loaded again from what the store really has.

        Sessions with subscriptions or leases are closed after their answer: what was sent to them, or was about to be, may rest
        on the lost transaction, and by reconnecting they announce again what they hold. After a chore that ran by itself it is
        known which sessions that concerns.
        """
        is_news = self.core.room.failed(error, self.now)
        self.trouble.failed(str(error), self.now, transaction.chore, log=not is_news)
        # Not to be committed: a part of it may be in the store's transaction, which ``read`` below ends by opening the store again.
        transaction.failed, transaction.changed = True, False
        misinformed = self._parts.void()
        self._jobs.void()
        for call in [
            *transaction.calls,
            *transaction.replies,
            *self._replies,
        ]:  # parked ones that it answered, too
            call.withdraw(self._report_bug)
            call.refuse(error)
            misinformed.append(call.session)
        # Also those with calls in the inbox: as long as the store fails these may never be done, and what they hold would stay held.
        self.sessions.close_leaving()
        touched = misinformed if transaction.turn in (Turn.CHORE, Turn.READ) else self.sessions
        for session in touched:
            if self._parts.must_reconnect(session):
                self.sessions.have_reconnect(session)
        # Last: it reads the store, and may fail in its turn.
        self._reloading.after(error, self.now)
        self._refuse_all()

    def _refuse_all(self) -> None:
        if self._reloading.error is not None:
            self._calls.refuse_all(self._reloading.error)

    def _load(self) -> None:
        picture = self.store.load()
        self.timeline.load()
        self._parts.load(picture, self.now)
