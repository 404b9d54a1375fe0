"""Passes what sessions do on to the engine: they open, call, abandon calls, say goodbye, close.

::

    Request ─► Registry ─┬─► the master's own objects: Engine.call, into the next transaction
                         └─► users' objects: a thread, whose answer leaves when it is there

A call that may not be made is refused here; it never reaches the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ...common.domain.model import Role
from ...common.errors import TqError
from ...common.runtime.callbacks import report_bug
from ...common.wire.protocol import Request
from ..api.registry import Registry
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.engine import Engine
from ..engine.session import Call, Session
from ..keys.keyring import KEY_REVOKED, Keyring
from .transactions import TransactionRunner

USER_THREADS: Final = 8  # for the user's own exposed objects


class EnginePort:
    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        transactions: TransactionRunner,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], Now],
        report: Callable[..., None],
    ) -> None:
        self._engine, self.registry, self._transactions = engine, registry, transactions
        self._loop, self._clock, self._report = loop, clock, report
        self._keys = engine.part(Keyring)
        self._user_threads = ThreadPoolExecutor(USER_THREADS, thread_name_prefix="tq-exposed")

    def close(self) -> None:
        self._user_threads.shutdown(wait=False, cancel_futures=True)

    # sessions

    def opened(self, session: Session) -> None:
        self._engine.sessions.opened(session)
        key_id = session.verifier.key_id
        # For `tq keys list`: written with others' transactions, not in one of its own.
        self._transactions.later(lambda: self._keys.used(key_id, self._engine.now))

    def closed(self, session: Session) -> None:
        """Its connection is gone."""
        # Noted, not done: a transaction may be under way, which counts on its sessions.
        self._engine.note(lambda: self._engine.sessions.closed(session))
        # At once: its calls in the inbox are not performed.
        session.open = False
        self._transactions.wake()

    def left(self, session: Session) -> None:
        """It closed with a goodbye: what it asked before is still done."""
        self._engine.sessions.leaving(session)
        self._transactions.wake()

    def seen(self, session: Session) -> None:
        """Bytes arrived; only a worker's leases depend on that."""
        if session.role in (Role.WORKER, Role.ADMIN):
            self._engine.presence.seen(session, self._clock())

    # calls

    def request(self, session: Session, request: Request) -> None:
        """A call arrived: into the next transaction, or into a user's thread."""
        # Checked for each call, and not only when the connection opened: a revoked key can do nothing more at once.
        if not self._keys.admits(session):
            session.wire.disconnect(KEY_REVOKED)
            return
        try:
            invocation = self.registry.invocation(session, request)
            if invocation.engine:
                # What it names is known before it is performed, and counts for its transaction.
                rows = sum(len(one) for one in request.args if type(one) is list)
                size_bytes, reads = request.size_bytes, invocation.reads
                self._engine.call(session, request.call_id, invocation.run, size_bytes, rows, reads=reads)
                self._transactions.wake()
            else:
                self._call_user(session, request, invocation.run)
        except TqError as error:
            _refuse(session, request.call_id, error)

    def is_worth_reading(self, session: Session, head: Request) -> bool:
        """Whether the arguments of a large call are to be decoded. A call of what does not exist, or with another number of
        arguments, is refused here."""
        try:
            self.registry.validate(session, head)
        except TqError as error:
            _refuse(session, head.call_id, error)
            return False
        return True

    def abandoned(self, session: Session, call_id: int) -> None:
        """Its caller no longer waits for this call."""
        self._engine.note(lambda: self._engine.abandoned(session, call_id))
        self._transactions.wake()

    def _call_user(self, session: Session, request: Request, run: Callable[[Call], Any]) -> None:
        call_id, account, size = request.call_id, session.account, request.size_bytes
        account.take(Resource.PARKED_BYTES, size)  # until it ends, whether or not the caller still waits
        call = Call(session, call_id, run, [])
        try:
            session.expect(call)
        except TqError:
            # It was refused: nothing of it is kept.
            account.give(Resource.PARKED_BYTES, size)
            raise

        def done(future: asyncio.Future[Any]) -> None:
            account.give(Resource.PARKED_BYTES, size)
            # Before the future is asked: of a cancelled one ``exception`` raises.
            if session.settle(call_id) is None or future.cancelled():
                return  # abandoned, its session ended, or the master ends
            error = future.exception()
            if error is None:
                call.answer(future.result())
            elif isinstance(error, TqError):
                call.refuse(error)
            else:
                call.refuse(TqError(report_bug(self._report, error)))
            if session.open:
                session.wire.send(session.wire.encode(call))

        self._loop.run_in_executor(self._user_threads, run, call).add_done_callback(done)


def _refuse(session: Session, call_id: int, error: TqError) -> None:
    refusal = Call(session, call_id, lambda call: None, [])
    refusal.refuse(error)
    session.wire.send(session.wire.encode(refusal))
