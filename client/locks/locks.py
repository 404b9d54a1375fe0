"""Locks, semaphores and conditions over the network, with the interface of ``threading``.

A lock is a lease: it is held while its holder is connected, and for a short grace after that. Each acquisition has a
fencing token, ``lock.token``, greater than all earlier ones. Pass it to the resource that the lock protects and let that
refuse a smaller token than the largest it has seen: then a holder that was suspended and continues too late does no harm.
Such a holder notices its loss at the release, which raises LockLost. The owning thread of an RLock is tracked here, since
the master only knows processes.
"""

from __future__ import annotations

import operator
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar

from ...common.contract.locks import LockState
from ...common.contract.rows import from_wire
from ...common.errors import InvalidArgument
from ...common.values.references import Reference
from ..core.deadlines import deadline_in, rest_of
from ..core.pickling import private_name
from .events_and_barriers import TOKEN_BYTES, SyncProxy

if TYPE_CHECKING:
    from ..core.session import ClientSession

T = TypeVar("T")

HELD_MAX: Final = 10_000  # of one semaphore; as the master keeps
ALL: Final = 2**31 - 1


class LockLost(RuntimeError):
    """The lock or semaphore was lost: this process was disconnected for longer than the lease, so another may hold it."""


class _Acquired(NamedTuple):
    token: bytes
    fence: int
    thread: int


class _Holdings:
    """The acquisitions of one lock by this process, with their threads; for an RLock also each thread's recursion depth.

    After a long disconnection there may be lost acquisitions beside current ones, so each thread releases its own.
    """

    def __init__(self) -> None:
        self._acquired: deque[_Acquired] = deque(maxlen=HELD_MAX)
        self._guard = threading.Lock()
        self.depths: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._acquired)

    def add(self, token: bytes, fence: int) -> None:
        with self._guard:
            self._acquired.append(_Acquired(token, fence, threading.get_ident()))

    def latest(self) -> _Acquired | None:
        """This thread's latest acquisition; if it has none, the oldest of the process."""
        with self._guard:
            return self._pick()

    def take(self) -> _Acquired | None:
        """As ``latest``, and removes it."""
        with self._guard:
            acquired = self._pick()
            if acquired is not None:
                self._acquired.remove(acquired)
            return acquired

    def _pick(self) -> _Acquired | None:
        mine = threading.get_ident()
        for acquired in reversed(self._acquired):
            if acquired.thread == mine:
                return acquired
        # A lock may be released by another thread than the one that acquired it.
        return self._acquired[0] if self._acquired else None


class _SessionHoldings:
    """All acquisitions of this process through one session, by lock name. A forked child starts with none."""

    def __init__(self, session: ClientSession) -> None:
        self._guard = threading.Lock()
        self._by_name: dict[str, _Holdings] = {}

    def of(self, name: str) -> _Holdings:
        with self._guard:
            return self._by_name.setdefault(name, _Holdings())


class _Acquirable(SyncProxy):
    """The base of all proxies with ``acquire`` and ``release``."""

    _object = "get_lock"
    _kind: ClassVar[str]

    def __init__(self, session: ClientSession, name: str | None = None, value: int = 1) -> None:
        super().__init__(session, name, self._kind, value)

    def acquire(
        self, block: bool = True, timeout: float | None = None, *, blocking: bool | None = None
    ) -> bool:
        """Acquire it; returns whether that succeeded. ``blocking`` is threading's name for ``block``; ``timeout`` in
        seconds."""
        return self._acquire(block if blocking is None else blocking, timeout)

    def release(self) -> None:
        """Release it. Raises LockLost when it was lost, RuntimeError when this process does not hold it."""
        self._release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    @property
    def token(self) -> int | None:
        """The fencing token of this thread's latest acquisition, else of another thread's; None when there is none."""
        acquired = self._holdings.latest()
        return None if acquired is None else acquired.fence

    @property
    def held(self) -> bool:
        """Whether this process holds it, according to the master at this moment."""
        acquired = self._holdings.latest()
        return acquired is not None and bool(self._call("held", acquired.token))

    def _state(self) -> LockState:
        return from_wire(LockState, self._call("state"))

    @property
    def _holdings(self) -> _Holdings:
        return self._session.part(_SessionHoldings).of(self.name)

    def _acquire(self, block: bool, timeout: float | None) -> bool:
        deadline = self._deadline(block, timeout)
        # Made here: asked for again after a lost connection, it is the same acquisition.
        token = os.urandom(TOKEN_BYTES)
        try:
            fence = (
                self._await("acquire", token, True, deadline=deadline)
                if block
                else self._call("acquire", token, False)
            )
        except TimeoutError:
            # The lock may have been granted in the meantime: the master decides, and then both sides agree.
            fence = self._given_up(None, "give_up_acquire", token)
            if fence is None:
                self._start_until_done("release", token)
        except BaseException:  # Ctrl-C: it must not be acquired after the caller was interrupted
            self._start_until_done("release", token)
            raise
        if fence is None:
            return False
        self._holdings.add(token, fence)
        return True

    def _deadline(self, block: bool, timeout: float | None) -> float | None:
        """Checks arguments as locks of ``threading`` do; there −1 means no timeout."""
        if timeout is None or timeout == -1:
            return None
        if not block:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0:
            raise ValueError("timeout value must be a non-negative number")
        return deadline_in(timeout)

    def _release(self) -> None:
        acquired = self._holdings.take()
        if acquired is None:
            raise self._not_held()
        self._give_back(acquired)

    def _give_back(self, acquired: _Acquired) -> None:
        released = self._session.confirmed(self._start_until_done("release", acquired.token))
        if not released:
            raise self._lost(acquired.fence)

    def _lost(self, fence: int) -> LockLost:
        return LockLost(
            f"{self!r} with token {fence} was lost: this process was away for longer than its lease; "
            "what it wrote since may have met another holder's, unless it was refused by its token"
        )

    def _not_held(self) -> Exception:
        return RuntimeError("release unlocked lock")

    # for conditions

    def _is_mine(self) -> bool:
        return len(self._holdings) > 0

    def _suspend(self) -> tuple[_Acquired, int]:
        """Give up this thread's acquisition for the time of a wait; returns it and its recursion depth."""
        acquired = self._holdings.take()
        if acquired is None:
            raise self._not_held()
        return acquired, 1

    def _restore(self, token: bytes, fence: int, depth: int) -> None:
        self._holdings.add(token, fence)


class Lock(_Acquirable):
    """As ``threading.Lock``; any thread of the process that holds it may release it."""

    _kind = "lock"

    def locked(self) -> bool:
        """Whether any process holds it."""
        return self._state().free == 0


class RLock(_Acquirable):
    """As ``threading.RLock``: its owner is a thread of a process."""

    _kind = "rlock"

    def locked(self) -> bool:
        """Whether any process holds it."""
        return self._state().free == 0

    def _acquire(self, block: bool, timeout: float | None) -> bool:
        if self._is_mine():
            # Wrong arguments are refused here too, as in ``threading``.
            self._deadline(block, timeout)
            self._own(self._depth + 1)
            return True
        acquired = super()._acquire(block, timeout)
        if acquired:
            self._own(1)
        return acquired

    def _release(self) -> None:
        if not self._is_mine():
            raise self._not_held()
        self._own(self._depth - 1)
        if not self._is_mine():
            super()._release()

    def _not_held(self) -> Exception:
        return RuntimeError("cannot release un-acquired lock")

    @property
    def _depth(self) -> int:
        return self._holdings.depths.get(threading.get_ident(), 0)

    def _own(self, depth: int) -> None:
        if depth:
            self._holdings.depths[threading.get_ident()] = depth
        else:
            self._holdings.depths.pop(threading.get_ident(), None)

    def _is_mine(self) -> bool:
        return self._depth > 0

    def _suspend(self) -> tuple[_Acquired, int]:
        depth = self._depth
        self._own(0)
        return super()._suspend()[0], depth

    def _restore(self, token: bytes, fence: int, depth: int) -> None:
        super()._restore(token, fence, depth)
        self._own(depth)


class Semaphore(_Acquirable):
    """As ``threading.Semaphore``. A process that holds no permit may release too, which adds one."""

    _kind = "semaphore"

    def __init__(self, session: ClientSession, value: int = 1, name: str | None = None) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        super().__init__(session, name, value)

    def release(self, n: int = 1) -> None:
        """Release ``n`` permits. Raises LockLost when a permit was lost."""
        if n < 1:
            raise ValueError("n must be one or more")
        # All or nothing: before the first one is released.
        self._check_release(n - len(self._holdings))
        for released in range(n):
            acquired = self._holdings.take()
            if acquired is None:
                # Another thread may have released some meanwhile.
                self._check_release(n - released)
                self._call("add", os.urandom(TOKEN_BYTES), n - released)
                return
            self._give_back(acquired)

    def get_value(self) -> int:
        """How many permits are free."""
        return self._state().free

    def _deadline(self, block: bool, timeout: float | None) -> float | None:
        """A negative timeout has passed already, as for semaphores of ``threading``."""
        if not block and timeout is not None:
            raise ValueError("can't specify timeout for non-blocking acquire")
        return deadline_in(timeout)

    def _check_release(self, beyond: int) -> None:
        """Raises ValueError when this many permits that the process does not hold must not be added."""


class BoundedSemaphore(Semaphore):
    """As ``threading.BoundedSemaphore``: each permit is released by the process that holds it."""

    _kind = "bounded"

    def _check_release(self, beyond: int) -> None:
        if beyond > 0:
            raise ValueError("Semaphore released too many times")


class Condition:
    """As ``threading.Condition``, over a Lock or RLock of the same manager.

    As there, ``wait`` may wake up without a notification, here after a lost connection: use ``wait_for``, or a loop.
    """

    def __init__(
        self, session: ClientSession, lock: Lock | RLock | None = None, name: str | None = None
    ) -> None:
        if lock is not None and not isinstance(lock, Lock | RLock):
            raise InvalidArgument(f"a condition needs a Lock or RLock of this manager, not {lock!r:.80}")
        self._lock = RLock(session, name) if lock is None else lock
        self.name = private_name("condition") if name is None else name
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self._lock, self.name)

    def _tq_reference(self) -> Reference:
        """Its form inside values, with its lock."""
        lock = self._lock._tq_reference()
        return Reference("sync", ("Condition", self.name, lock.where), lock.cluster)

    def __repr__(self) -> str:
        return f"<tq.Condition {self.name!r} of {self._lock!r}>"

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(*error)

    @property
    def token(self) -> int | None:
        """The fencing token of its lock."""
        return self._lock.token

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification, acquire the lock again. False when ``timeout`` seconds pass first."""
        deadline = deadline_in(timeout)
        lock = self._lock
        if not lock._is_mine():
            raise RuntimeError("cannot wait on un-acquired lock")
        suspended, depth = lock._suspend()
        token, notified = os.urandom(TOKEN_BYTES), True
        # The master releases the lock and waits in one step: between two, a notification could be missed.
        call = ("wait", self.name, suspended.token, token)
        try:
            new = lock._await(*call, deadline=deadline)
        except TimeoutError:
            notified, new = self._given_up(call, suspended, depth)
        except BaseException:  # Ctrl-C: the caller's ``with`` block still expects to hold the lock
            _, new = self._given_up(call, suspended, depth)
            if new is not None:
                lock._restore(token, new, depth)
            raise
        if new is None:
            lock._restore(
                suspended.token, suspended.fence, depth
            )  # so that the end of a ``with`` block raises the same error
            raise lock._lost(suspended.fence)
        lock._restore(token, new, depth)
        return notified

    def _given_up(self, call: tuple[Any, ...], suspended: _Acquired, depth: int) -> tuple[bool, int | None]:
        """Stop waiting for a notification and wait for the lock: whether a notification came, and the fencing token.

        Raises Unreachable when the master stays away. Then the master is asked to release the lock once it is back, and
        the caller is left as after a loss: its release raises LockLost.
        """
        _, name, _, token = call
        try:
            notified = bool(self._lock._ask_until_answered("give_up_wait", name, token))
            return notified, self._lock._ask_until_answered(*call)
        except BaseException:
            self._lock._start_until_done("release", token)
            self._lock._restore(suspended.token, suspended.fence, depth)
            raise

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until the predicate is true; returns its last value."""
        deadline = deadline_in(timeout)
        result = predicate()
        while not result:
            rest = rest_of(deadline)
            if rest == 0:
                break
            self.wait(rest)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake up to ``n`` waiting threads."""
        if not self._lock._is_mine():
            raise RuntimeError("cannot notify on un-acquired lock")
        acquired = self._lock._holdings.latest()
        count = max(0, min(operator.index(n), ALL))
        if acquired is not None and not self._lock._call("notify", self.name, acquired.token, count):
            raise self._lock._lost(acquired.fence)

    def notify_all(self) -> None:
        """Wake all waiting threads."""
        self.notify(ALL)


def _arrived(lock: Lock | RLock, name: str) -> Condition:
    """An unpickled condition."""
    return Condition(lock._session, lock, name)
