"""What the engine knows of a connection: its key and role, the calls that it waits for, its result streams.

A ``Call`` gets its answer now or later; ``answer`` and ``refuse`` only note it: it leaves when the transaction that it rests on
is committed, and not before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ...common.auth.keys import Verifier, node_of
from ...common.contract.method import Audited
from ...common.domain.id_runs import IdRun
from ...common.domain.model import Role
from ...common.errors import QuotaExceeded, RemoteError, TqError
from ...common.runtime.callbacks import words_of
from .accounts import Account, Resource
from .id_ranges import IdRanges

LATER: Final = object()  # returned by an exposed method that will answer its call itself
NilOrLater = object  # what an exposed method returns whose answer is nil, when it has done all of it

CALLS_INCLUDED: Final = 3  # of a session: its own weight has room for them, and most sessions never have more
CALLS_OUTSTANDING_MAX: Final = 20_000  # per session: parked and unanswered; far above any honest use
STREAMS_MAX: Final = 1_024  # per session: one for a client, one for each child of a worker


class Wire(Protocol):
    """The socket's side of a session."""

    def encode(self, call: Call) -> bytes: ...
    def send(self, frame: bytes) -> None: ...
    def disconnect(self, reason: str) -> None: ...
    def unsent_bytes(self) -> int:
        """What waits in its buffer for the peer to read."""


class Stream:
    """Outcomes of watched tasks on their way to one collector."""

    __slots__ = (
        "blocks",
        "bodies_bytes",
        "collect",
        "outcomes",
        "room_bytes",
        "session",
        "waiting",
        "watched",
    )

    def __init__(self, session: Session) -> None:
        self.session = session
        self.watched: IdRanges[bool] = IdRanges()
        self.blocks = 0  # of ``watched``, accounted for
        self.outcomes: deque[tuple[IdRun, int, Any]] = deque()
        self.waiting = 0  # tasks in ``outcomes``
        self.bodies_bytes = 0  # of the bodies held in outcomes
        self.room_bytes = 0  # for them, accounted for
        self.collect: tuple[Call, int] | None = None  # the parked call and the most tasks it wants


class Session:
    """One admitted connection, or a worker's child on it."""

    def __init__(
        self,
        wire: Wire,
        *,
        verifier: Verifier,
        role: Role,
        node: bytes,
        address: str,
        account: Account | None = None,
        reconnects: bool = True,
        is_child: bool = False,
    ) -> None:
        """``account``: its key's; None: nothing is limited. ``reconnects``: its peer comes again when it is hung up on,
        and says again what it waits for. ``is_child``: a worker's, on the connection of that."""
        self.wire, self.reconnects, self.is_child = wire, reconnects, is_child
        self.account = account or Account()
        self.verifier, self.role, self.node, self.address = verifier, role, node, address
        self.open = True
        self.calls: dict[int, Call] = {}
        self.streams: dict[str, Stream] = {}
        self.children: dict[bytes, Session] = {}  # of a worker: those of its children, on the same connection

    def child(self, node: bytes) -> Session:
        """A new session for a child of this worker, which says that it is ``node``: what it holds is its own, its rights are
        judged call by call."""
        made = Session(
            self.wire,
            verifier=self.verifier,
            role=self.role,
            # Mixed with the key: a worker cannot take the place of a program of another key by its node.
            node=node_of(self.verifier.key_id, node),
            address=self.address,
            account=self.account,
            is_child=True,
        )
        self.children[node] = made
        return made

    def allows_queue(self, queue: str) -> bool:
        return self.verifier.allows_queue(queue)

    def expect(self, call: Call) -> None:
        """A call is to be answered from now on. Raises QuotaExceeded."""
        if len(self.calls) >= CALLS_INCLUDED:
            if len(self.calls) >= CALLS_OUTSTANDING_MAX:
                raise QuotaExceeded(
                    f"this connection has {len(self.calls):,} calls without an answer; at most "
                    f"{CALLS_OUTSTANDING_MAX:,}: wait for some of them"
                )
            self.account.take(Resource.CALLS)
        self.calls[call.call_id] = call

    def settle(self, call_id: int) -> Call | None:
        """A call is answered or abandoned; None: it was before."""
        call = self.calls.pop(call_id, None)
        if call is not None:
            if len(self.calls) >= CALLS_INCLUDED:
                self.account.give(Resource.CALLS)
            call.release_bytes()
        return call

    def settle_all(self) -> None:
        for call_id in list(self.calls):
            self.settle(call_id)


@dataclass(slots=True, eq=False)
class Deed:
    """What a call changes of the cluster or of others' work, on its way into the audit log. ``method``: of which object, ``get_queues.set``. ``target``: what it was done to, in words. ``answered``: is given the answer of
    a call that is answered later."""

    method: str
    audited: Audited
    target: str
    answered: Callable[[Any], None] | None = None


class Call:
    """One call of a session, from its arrival to its answer."""

    __slots__ = (
        "_held_bytes",
        "_is_final",
        "_replies",
        "abandon",
        "call_id",
        "deed",
        "frame",
        "performed_in",
        "reads",
        "reply",
        "rows",
        "run",
        "session",
        "size_bytes",
    )

    def __init__(
        self,
        session: Session,
        call_id: int,
        run: Callable[[Call], Any],
        replies: list[Call],
        size_bytes: int = 0,
        rows: int = 0,
        *,
        reads: bool = False,
    ) -> None:
        """``rows``: how many ids, tasks, reports and so on it names. ``reads``: it changes nothing, even if it fails."""
        self.session, self.call_id, self.size_bytes, self.rows = session, call_id, size_bytes, rows
        self.run: Callable[[Call], Any] | None = run
        self.reads = reads
        self._replies = replies
        self.reply: tuple[Any, TqError | None] | None = None
        self.frame: bytes | None = None  # the reply encoded, as soon as there is time for it
        self.abandon: Callable[[], None] | None = None  # undoes the parking, when the caller gives up
        self.deed: Deed | None = None  # what it changes, if that is audited
        self.performed_in = 0  # the number of a transaction; answered in a later one, it was parked meanwhile
        self._held_bytes = 0
        self._is_final = False

    def perform(self) -> Any:
        """Once. Its arguments go: a call that is parked keeps what it waits with, and nothing else of them."""
        run, self.run = self.run, None
        assert run is not None  # noqa: S101 - see inbox.py
        return run(self)

    def concerns(self, what: str) -> None:
        """The audit log says that this was changed: better than the arguments do, or what they do not."""
        if self.deed is not None:
            self.deed.target = what

    def hold(self, size_bytes: int) -> None:
        """It is parked with so much of its content. Raises QuotaExceeded."""
        self.session.account.take(Resource.PARKED_BYTES, size_bytes)
        self._held_bytes += size_bytes

    def release_bytes(self) -> None:
        """What it was parked with is gone."""
        if self._held_bytes:
            self.session.account.give(Resource.PARKED_BYTES, self._held_bytes)
            self._held_bytes = 0

    def withdraw(self, on_bug: Callable[[Exception], object]) -> None:
        """It is parked no more: the transaction that answered it is void."""
        leave, self.abandon = self.abandon, None
        if leave is not None:
            try:
                leave()
            except Exception as error:  # the other callers still get their error
                on_bug(error)

    def answer(self, value: Any) -> None:
        self._write(value, None)

    def refuse(self, error: TqError) -> None:
        self._write(None, error)

    def send(self) -> None:
        """Send its answer, if its caller still waits for it."""
        session = self.session
        if session.open and session.settle(self.call_id) is not None:
            session.wire.send(self.frame or session.wire.encode(self))

    def meets_bug(self, error: Exception) -> bool:
        """Refuse it for good, even if its transaction succeeds: repeated, it would meet the bug again. True: no other call is
        concerned, because this one changes nothing."""
        self.refuse(RemoteError(words_of(error)))
        self._is_final = True
        return self.reads

    def _write(self, value: Any, error: TqError | None) -> None:
        if self._is_final:
            return
        # Noted once: an answer may be replaced by a refusal while the transaction is under way.
        if self.reply is None:
            self._replies.append(self)
        if self.deed is not None and self.deed.answered is not None and error is None:
            self.deed.answered(value)
        # A frame that was encoded while the disk worked may say that it succeeded: it is made again.
        self.reply, self.frame = (value, error), None
