"""An admitted connection's session: its messages become calls of the engine, and the engine's answers become frames.

Owns what is counted for it on its key's account: the session itself and those of its children. ``close`` gives that back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from ...common.contract.exposed import ALLOWED
from ...common.domain.model import Role
from ...common.errors import ProtocolError, QuotaExceeded, TqError
from ...common.runtime.callbacks import report_bug
from ...common.values.brief import brief
from ...common.wire.handshake import Admitted
from ...common.wire.protocol import PONG, Abandoned, Answerer, Child, Goodbye, Ping, Request
from ..engine.accounts import Account, Resource
from ..engine.session import Call, Session
from .context import ConnectionContext

CHILDREN_A_FRAME: Final = 256  # searched for an abandoned call in the time that one message takes


class PeerConnection(Protocol):
    """The connection below a session."""

    def queue(self, frame: bytes) -> None:
        """Send it with the other frames of this turn of the loop."""

    def unsent_bytes(self) -> int: ...
    def disconnect(self, reason: str) -> None: ...
    def said_goodbye(self, reason: str) -> None: ...


class PeerSession:
    """The ``Wire`` of its session (see ``master/engine/session.py``)."""

    def __init__(
        self,
        context: ConnectionContext,
        connection: PeerConnection,
        admitted: Admitted,
        account: Account,
        address: str,
    ) -> None:
        self._context, self._connection = context, connection
        self._answerer = Answerer(context.identity.frame_bytes_max)
        # The engine calls these for every answer, so no method wraps them.
        self.send: Callable[[bytes], None] = connection.queue
        self.unsent_bytes: Callable[[], int] = connection.unsent_bytes
        self.disconnect: Callable[[str], None] = connection.disconnect
        self.session = Session(
            self,
            verifier=admitted.verifier,
            role=admitted.role,
            node=admitted.node,
            address=address,
            account=account,
        )

    # messages in

    def seen(self) -> None:
        """Bytes arrived."""
        self._context.engine.seen(self.session)

    def understand(self, kind: int, body: memoryview) -> None:
        """Take a whole frame. Raises a TqError that ends the connection."""
        # Of a large call the head is read first: its arguments are decoded only if it can be made.
        head = self._answerer.head(kind, body)
        if head is not None and not self._context.engine.is_worth_reading(self.session, head):
            return
        event = self._answerer.understand(kind, body)
        if isinstance(event, Request):
            self._request(event)
        elif isinstance(event, Ping):
            self.send(PONG)
        elif isinstance(event, Abandoned):
            self._abandoned(event)
        elif isinstance(event, Child):
            self._child_changed(event)
        elif isinstance(event, Goodbye):
            self._connection.said_goodbye(event.reason)

    def _request(self, request: Request) -> None:
        session = self.session
        # Only workers speak for children: a client that names one speaks for itself.
        if request.child is not None and session.role in ALLOWED[Role.WORKER]:
            try:
                session = self._child(request.child)
            except QuotaExceeded as error:
                self.send(self._answerer.refuse(request.call_id, error))
                return
        # Nothing would say which of two calls with one number an answer is to.
        if request.call_id in session.calls:
            raise ProtocolError(f"call id {request.call_id} is in use")
        self._context.engine.request(session, request)

    def _abandoned(self, event: Abandoned) -> None:
        """The message names a call and not the child that made it: all of them are searched, which counts as work."""
        session = self.session
        session.account.traffic.took(len(session.children) // CHILDREN_A_FRAME, 0)
        caller = next((one for one in session.children.values() if event.call_id in one.calls), session)
        self._context.engine.abandoned(caller, event.call_id)

    def _child_changed(self, event: Child) -> None:
        if self.session.role not in ALLOWED[Role.WORKER]:
            raise ProtocolError("only a worker has children")
        if event.here:
            with contextlib.suppress(QuotaExceeded):  # its next call is refused with that error
                self._child(event.node)
        elif (gone := self.session.children.pop(event.node, None)) is not None:
            self.session.account.give(Resource.CHILDREN)
            self._context.engine.left(gone)

    def _child(self, node: bytes) -> Session:
        known = self.session.children.get(node)
        if known is None:
            self.session.account.take(Resource.CHILDREN)
            known = self.session.child(node)
            self._context.engine.opened(known)
        return known

    # answers out

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        try:
            if error is not None:
                return self._answerer.refuse(call.call_id, error)
            return self._answerer.answer(call.call_id, value)
        except Exception as bug:  # or there is no memory: the answers to others have to leave
            report_bug(self._context.report, bug)
            return self._answerer.refuse(
                call.call_id, TqError(f"the master could not write the answer: {brief(bug, 200)}")
            )

    # the end

    def close(self, reason: str, *, orderly: bool) -> None:
        """The connection is closed. ``orderly``: the peer said goodbye, so what it asked before is still done."""
        session, engine = self.session, self._context.engine
        session.account.give(Resource.SESSIONS)
        session.account.give(Resource.CHILDREN, len(session.children))
        if not session.open:
            return
        self._context.report(
            "session.closed",
            level="debug",
            address=session.address,
            role=str(session.role),
            reason=reason,
        )
        # Children first: what they hold is the worker's to lose as well.
        for one in (*session.children.values(), session):
            (engine.left if orderly else engine.closed)(one)
