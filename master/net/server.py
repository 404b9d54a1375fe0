"""The shell around the engine: one event loop, its sockets, and the thread that waits for the disk.

::

    socket ─► Connection ─► Registry ─► Engine.call ─┐
                                                     ├─► pump: run ─► commit (thread) ─► committed ─► sockets
    timers, closed connections ──────────────────────┘          └─► answers are encoded meanwhile

Everything but the commit and a user's own exposed objects happens on the loop. The pump runs one
transaction at a time; what arrives meanwhile is the next one.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from ...common.domain.model import Role
from ...common.errors import QuotaExceeded, Rejected, StoreError, TqError
from ...common.runtime.callbacks import report_bug
from ...common.runtime.histogram import Buckets
from ...common.wire.protocol import Request
from ..api.registry import Registry
from ..blobs.blobs import Blobs
from ..blobs.files import BlobFiles
from ..blobs.threads import Threads
from ..engine.accounts import Account, Accounts, What
from ..engine.batch import Batch
from ..engine.clock import Now, read_clock
from ..engine.committer import HERE_SECONDS_MAX, Committer
from ..engine.engine import Engine
from ..engine.flow import Flow
from ..engine.session import Call, Session
from ..keys.keyring import KEY_REVOKED, Keyring
from .admission import Gate
from .complaints import Complaints
from .connection import Connection
from .unread import Unread

LISTEN_BACKLOG: Final = 1_024  # connections the kernel keeps while the loop is busy
USER_THREADS: Final = 8  # for the user's own exposed objects
DESCRIPTORS_RESERVED: Final = (
    16  # not for connections: the store's files when it is opened anew, and users' own
)
KEY_SHARE: Final = 0.75  # of all connections, for one key: others get in, whatever it does
DRAIN_SECONDS_MAX: Final = 10.0  # for a commit, when it is told to end: a slow disk's worst is half of it
STORE_PAUSE_SECONDS: Final = 0.2  # after a failed transaction, so that a full disk is not hammered


class Server:
    """One listening master. ``report`` is the log: ``report(action, level=…, **fields)``."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        tls: ssl.SSLContext,
        certificate: bytes,
        *,
        cluster_id: bytes,
        heartbeat_seconds: float,
        frame_bytes_max: int,
        report: Callable[..., None],
        loop: asyncio.AbstractEventLoop | None = None,
        clock: Callable[[], Now] = read_clock,
        commit_here_seconds_max: float = HERE_SECONDS_MAX,
        blob_files: BlobFiles | None = None,
    ) -> None:
        self.engine, self.registry, self.tls, self.certificate = engine, registry, tls, certificate
        self.keys = engine.part(Keyring)
        self.cluster_id, self.heartbeat_seconds = cluster_id, heartbeat_seconds
        self.frame_bytes_max, self.report = frame_bytes_max, report
        self.gate: Gate[Connection] = Gate()
        # Apart, so that a flood of those who speak no tq does not hide whose key is wrong.
        self._wrong_keys, self._strangers = (Complaints(report, "connection.refused") for _ in range(2))
        self.accounts = Accounts()
        self.unread = Unread(self.accounts.everybody)
        self._flows: dict[Flow, None] = {}  # of keys that have connections held up
        self._turn_due = False
        self.loop = loop or asyncio.get_running_loop()  # a simulator hands in its own, and its clock
        self._clock = clock
        self.connections: set[Connection] = set()
        self._committer = Committer(self.loop, lambda: engine.store.commit(), commit_here_seconds_max)
        self._users = ThreadPoolExecutor(USER_THREADS, thread_name_prefix="tq-exposed")
        self._blob_threads = Threads(self.loop, self._later)
        if blob_files is not None:
            engine.part(Blobs).serve(blob_files, self._blob_threads)
        self._listener: asyncio.Server | None = None
        self._pumping = False  # a pump is scheduled or a commit is under way
        self._committing = self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self.descriptors_max = _descriptors_max()
        self._full = False  # and said so
        self._batch_sizes: Buckets | None = None  # calls in one transaction, if that is measured
        self._concluded_at = self.loop.time()  # the last transaction's end

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Open the port; the addresses that were bound."""
        self._listener = await self.loop.create_server(
            lambda: Connection(self), host or None, port, backlog=LISTEN_BACKLOG, start_serving=True
        )
        self.wake()
        return [socket.getsockname()[:2] for socket in self._listener.sockets]

    async def drain(self) -> bool:
        """Stop accepting, finish the transaction under way, say goodbye. False: that transaction has not ended within
        DRAIN_SECONDS_MAX, for its disk does not answer. What is asked meanwhile is asked again of the next master."""
        self._draining = True
        if self._listener is not None:
            self._listener.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                while self._pumping:
                    self._idle.clear()
                    await self._idle.wait()
        for connection in list(self.connections):
            connection.disconnect("the master is shutting down")
        if self._timer is not None:
            self._timer.cancel()
        return not self._committing

    def close(self) -> None:
        """Give back threads and descriptors. The store is its owner's to close."""
        self._committer.close()
        self._blob_threads.close()
        self._users.shutdown(wait=False, cancel_futures=True)

    @property
    def seconds_since_transaction(self) -> float:
        return self.loop.time() - self._concluded_at

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is under way or due."""
        return self._pumping

    @property
    def commit_seconds(self) -> float:
        """How long the slowest commit of late took."""
        return self._committer.slowest_seconds

    @property
    def trouble_seconds(self) -> float:
        """For how long the store has failed; 0: it does not."""
        return self.engine.trouble.seconds(self._clock())

    def measure(self, commit_seconds: Buckets, batch_sizes: Buckets) -> None:
        """Have each transaction measured from now on: how long its commit took, how many calls it had."""
        self._committer.on_seconds, self._batch_sizes = commit_seconds.observe, batch_sizes

    # what connections bring

    def complain(self, address: str, error: TqError) -> None:
        """What was wrong with a stranger: a few lines of it in the log, however many there are."""
        complaints = self._wrong_keys if isinstance(error, Rejected) else self._strangers
        complaints.tell(address, str(error), self.loop.time())

    @property
    def strangers_refused(self) -> int:
        return self._wrong_keys.total + self._strangers.total

    def has_room(self, descriptor: int) -> bool:
        """Whether a new connection may stay. The system gives the lowest free number: a high one means that
        few are left. A connection that is accepted and closed is out of the way; one that cannot be
        accepted would keep the loop busy."""
        full = descriptor >= self.descriptors_max
        if full and not self._full:
            self.report("server.full", level="error", connections=len(self.connections))
        self._full = full
        return not full

    def admit(self, account: Account) -> None:
        """One more session of this key. Raises QuotaExceeded."""
        share = int(self.descriptors_max * KEY_SHARE)
        if not account.is_shared and account.held[What.SESSIONS] >= share:
            raise QuotaExceeded(
                f"this key has {account.held[What.SESSIONS]:,} connections; at most {share:,}, so that others find room in "
                "the files that the master may open: close some, or raise its limit of open files (LimitNOFILE, ulimit -n)"
            )
        account.take(What.SESSIONS)

    def hold_up(self, flow: Flow) -> None:
        """Connections of a key wait, until it has room in the inbox or others have had their turn."""
        self._flows[flow] = None
        if flow.waits_for_turn:
            self._take_turns()

    def _take_turns(self) -> None:
        if self._flows and not self._turn_due:
            self._turn_due = True
            self.loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn_due = False
        flows, self._flows = self._flows, {}
        for flow in flows:
            flow.next_turn()
            if flow.is_waited_for:
                self.hold_up(flow)

    def request(self, session: Session, request: Request) -> None:
        """A call arrived: into the next transaction, or into a user's thread."""
        if not self.keys.admits(session):
            session.wire.disconnect(KEY_REVOKED)
            return
        try:
            invocation = self.registry.invocation(session, request)
            if invocation.engine:
                rows = sum(len(one) for one in request.args if type(one) is list)
                size_bytes, reads = request.size_bytes, invocation.reads
                self.engine.call(session, request.call_id, invocation.run, size_bytes, rows, reads=reads)
                self.wake()
            else:
                self._ask_user(session, request, invocation.run)
        except TqError as error:
            self._refuse(session, request.call_id, error)

    def may_ask(self, session: Session, head: Request) -> bool:
        """Whether a large call is worth reading. It is refused here if it is for nobody, or not with so many arguments."""
        try:
            self.registry.judge(session, head)
        except TqError as error:
            self._refuse(session, head.call_id, error)
            return False
        return True

    def _refuse(self, session: Session, call_id: int, error: TqError) -> None:
        refusal = Call(session, call_id, lambda call: None, [])
        refusal.refuse(error)
        session.wire.send(session.wire.encode(refusal))

    def _ask_user(self, session: Session, request: Request, run: Callable[[Call], Any]) -> None:
        call_id, account, size = request.call_id, session.account, request.size_bytes
        account.take(What.PARKED_BYTES, size)  # until it ends, whoever waits for it
        call = Call(session, call_id, run, [])
        try:
            session.expect(call)
        except TqError:
            account.give(What.PARKED_BYTES, size)
            raise

        def done(future: asyncio.Future[Any]) -> None:
            account.give(What.PARKED_BYTES, size)
            if session.settle(call_id) is None or future.cancelled():
                return  # abandoned, its session ended, or the master ends
            error = future.exception()
            if error is None:
                call.answer(future.result())
            elif isinstance(error, TqError):
                call.refuse(error)
            else:
                call.refuse(TqError(report_bug(self.report, error)))
            if session.open:
                session.wire.send(session.wire.encode(call))

        self.loop.run_in_executor(self._users, run, call).add_done_callback(done)

    def opened(self, session: Session) -> None:
        self.engine.opened(session)
        key_id = session.verifier.key_id
        self.engine.later(lambda: self.keys.used(key_id, self.engine.now))
        self.wake()

    def closed(self, session: Session) -> None:
        self.engine.note(lambda: self.engine.closed(session))
        session.open = False
        self.wake()

    def left(self, session: Session) -> None:
        """It closed with a goodbye: what it asked before is still done."""
        self.engine.leaving(session)
        self.wake()

    def abandoned(self, session: Session, call_id: int) -> None:
        self.engine.note(lambda: self.engine.abandoned(session, call_id))
        self.wake()

    def heard(self, session: Session) -> None:
        """Bytes arrived; only a worker's leases care."""
        if session.role in (Role.WORKER, Role.ADMIN):
            self.engine.presence.heard(session, self._clock())

    # the pump

    def _later(self, job: Callable[[], None]) -> None:
        self.engine.later(job)
        self.wake()

    def wake(self) -> None:
        """Run a transaction soon; everything that arrives in this turn of the loop joins it."""
        if not self._pumping and not self._draining:
            self._pumping = True
            self.loop.call_soon(self._pump)

    def _pump(self) -> None:
        """One transaction. Whatever happens in it, another one follows: nobody else answers the callers."""
        if self._committing:
            return  # its conclusion arms the next
        concludes = False
        try:
            concludes = self._transact()
        except Exception as error:  # a bug of this shell: the engine answers for its own
            self._report_bug(error)
        finally:
            if not concludes:
                self._arm(failed=True)

    def _transact(self) -> bool:
        """Run one and have it committed; its conclusion is certain to come."""
        batch = self.engine.run(self._clock())
        if self._batch_sizes is not None and batch.calls:
            self._batch_sizes.observe(len(batch.calls))
        if not batch.changed:  # it only read, or failed: there is nothing to sync
            self._conclude(batch, None)
            return True
        if self._committer.may_commit_here(sum(call.size_bytes for call in batch.calls)):
            self._conclude(batch, self._committer.commit_here())
            return True
        self._committing = True
        self._committer.commit_there(lambda error: self._conclude(batch, error))
        self._encode(batch)
        return True

    def _encode(self, batch: Batch) -> None:
        """While the disk works."""
        try:
            for call in batch.replies:
                if call.session.open:
                    call.frame = call.session.wire.encode(call)
        except Exception as bug:
            self._report_bug(bug)

    def _conclude(self, batch: Batch, error: StoreError | None) -> None:
        failed = True
        try:
            if error is None:
                self.engine.committed(batch)
            else:
                self.engine.commit_failed(batch, error)
            failed = error is not None or batch.failed
        except Exception as bug:
            self._report_bug(bug)
        finally:
            self._arm(failed=failed)

    def _arm(self, *, failed: bool) -> None:
        """A transaction has ended: when is the next one?"""
        self._committing = False
        self._concluded_at = self.loop.time()
        self._take_turns()
        if not failed and not self._draining and not self.engine.has_work:
            try:
                self._set_timer()
            except Exception as bug:
                self._report_bug(bug)
                failed = True
            else:
                self._pumping = False
        if self._draining:
            self._pumping = False
        elif failed:
            self._pumping = True
            self.loop.call_later(STORE_PAUSE_SECONDS, self._pump)
        elif self._pumping:
            self.loop.call_soon(self._pump)
        self._idle.set()

    def _report_bug(self, error: Exception) -> None:
        report_bug(self.report, error)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.engine.next_wakeup()
        if at is not None:
            delay = max(0.001, (at - self._clock().mono) / 1000)
            self._timer = self.loop.call_later(delay, self.wake)


def _descriptors_max() -> int:
    """Connections with a descriptor from this number on are turned away."""
    try:
        import resource
    except ImportError:  # Windows, where there is no such limit
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft - DESCRIPTORS_RESERVED
