"""Events and barriers over the network, with the interface of ``threading``; and the base of all synchronization proxies.

Every call that waits carries a random token and is repeated after a lost connection: nothing is done twice, and no
wake-up is missed in between. When a timeout has passed, the client asks the master for the result of the call.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from ...common.contract.locks import BarrierState, EventState
from ...common.contract.rows import from_wire
from ...common.errors import InvalidArgument, StoreError
from ...common.values.references import Reference
from ..core.deadlines import GIVE_UP_SECONDS, deadline_in, pause_before, rest_of
from ..core.pickling import MasterAddress, master_address_of, private_name, session_to

if TYPE_CHECKING:
    from ..core.session import ClientSession

TOKEN_BYTES: Final = 16
STORE_SECONDS: Final = 5.0  # how long a failing store is tried again, for calls that are never parked


class SyncProxy:
    """The base of all synchronization proxies. An object without a name is private: it ends with this process's session."""

    _object: ClassVar[str]

    def __init__(self, session: ClientSession, name: str | None, *arguments: Any) -> None:
        self._session = session
        self.name = private_name(type(self).__name__.lower()) if name is None else name
        self._target = (self._object, self.name, *arguments, name is None)
        self._call("state")  # creates it; raises if an object of another kind has this name

    def __reduce__(self) -> tuple[Any, ...]:
        rest = {name: value for name, value in vars(self).items() if name != "_session"}
        return _arrived, (
            master_address_of(self._session),
            type(self),
            {**rest, "_target": (*self._target[:-1], False)},
        )

    def _tq_reference(self) -> Reference:
        """Its form inside values."""
        return Reference("sync", (type(self).__name__, *self._where()), self._session.cluster_id())

    def _where(self) -> tuple[Any, ...]:
        """The arguments for ``_found``."""
        return self._target[1:-1]

    @classmethod
    def _found(cls, session: ClientSession, name: str, *arguments: Any) -> Self:
        """A proxy of an existing object, made from a reference. The object still belongs to the program that made it."""
        proxy = cls.__new__(cls)
        proxy._session, proxy.name, proxy._target = session, name, (cls._object, name, *arguments, False)
        return proxy

    def __repr__(self) -> str:
        return f"<tq.{type(self).__name__} {self.name!r}>"

    def _ask(self, method: str, *args: Any) -> Future[Any]:
        return self._session.start_call(self._target, method, *args)

    def _start_until_done(self, method: str, *args: Any) -> Future[Any]:
        """Repeated until it is done: no caller would see its failure."""
        return self._session.start_until_done(self._target, method, *args)

    def _call(self, method: str, *args: Any) -> Any:
        """The answer; a failing disk of the master has a few seconds to recover."""
        until = deadline_in(STORE_SECONDS)
        while True:
            try:
                return self._session.answer_of(self._ask(method, *args))
            except StoreError:
                if not pause_before(until):
                    raise

    def _await(self, method: str, *args: Any, deadline: float | None = None) -> Any:
        """The answer to a call that may be parked. Raises TimeoutError at the deadline."""
        while True:
            answer = self._ask(method, *args)
            try:
                return answer.result(rest_of(deadline))
            except StoreError:  # the shared transaction failed; trying again with the same token is safe
                if not pause_before(deadline):
                    raise

    def _ask_until_answered(self, method: str, *args: Any) -> Any:
        """The answer, however long the store fails; raises Unreachable when the master stays away."""
        while True:
            try:
                return self._session.answer_of(self._ask(method, *args))
            except StoreError:
                pause_before(None)

    def _given_up(self, otherwise: Any, method: str, *args: Any) -> Any:
        """The timeout has passed: returns the master's result of the call, or ``otherwise`` if it does not answer."""
        try:
            return self._start_until_done(method, *args).result(GIVE_UP_SECONDS)
        except TimeoutError:
            return otherwise


def _arrived(address: MasterAddress, kind: type[SyncProxy], rest: dict[str, Any]) -> SyncProxy:
    """An unpickled proxy. The object still belongs to the program that made it."""
    proxy = kind.__new__(kind)
    vars(proxy).update(rest, _session=session_to(address))
    return proxy


class Event(SyncProxy):
    """As ``threading.Event``."""

    _object = "get_event"

    def __init__(self, session: ClientSession, name: str | None = None) -> None:
        super().__init__(session, name)

    def is_set(self) -> bool:
        return from_wire(EventState, self._call("state")).is_set

    def set(self) -> None:
        self._call("set", os.urandom(TOKEN_BYTES))

    def clear(self) -> None:
        self._call("clear", os.urandom(TOKEN_BYTES))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; False when ``timeout`` seconds pass first."""
        deadline = deadline_in(timeout)
        if deadline is None:
            answer = self._call("state")
        else:  # with a timeout of 0 the state is still read, and an absent master delays that only briefly
            try:
                until = max(deadline, time.monotonic() + GIVE_UP_SECONDS)
                answer = self._await("state", deadline=until)
            except TimeoutError:
                return False
        state = from_wire(EventState, answer)
        if state.is_set:
            return True
        token = os.urandom(TOKEN_BYTES)
        try:
            return bool(self._await("wait", token, state.times, deadline=deadline))
        except TimeoutError:
            return bool(self._given_up(False, "give_up_wait", token, state.times))
        except BaseException:
            self._start_until_done("give_up_wait", token, state.times)
            raise


class Barrier(SyncProxy):
    """As ``threading.Barrier``, without an action."""

    _object = "get_barrier"

    def __init__(
        self,
        session: ClientSession,
        parties: int,
        action: Callable[[], object] | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> None:
        if action is not None:
            raise InvalidArgument(
                "a barrier's action would have to run while all wait, and end with its process; write "
                "`if barrier.wait() == 0: action()` and, if the others have to wait for it, `barrier.wait()` again"
            )
        if parties < 1:
            raise ValueError("parties must be > 0")
        self._parties, self._timeout = parties, timeout
        super().__init__(session, name, parties)

    def _where(self) -> tuple[Any, ...]:
        return self.name, self._parties, self._timeout

    @classmethod
    def _found(cls, session: ClientSession, name: str, *arguments: Any) -> Self:
        parties, timeout = arguments
        proxy = super()._found(session, name, parties)
        proxy._parties, proxy._timeout = parties, timeout
        return proxy

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the other parties; each gets a different number from 0 on. Raises threading.BrokenBarrierError."""
        timeout = self._timeout if timeout is None else timeout
        deadline = deadline_in(timeout)
        token = os.urandom(TOKEN_BYTES)
        try:
            place = self._await("wait", token, deadline=deadline)
        except TimeoutError:
            place = self._given_up(-1, "give_up_wait", token)
        except BaseException:
            self._start_until_done("give_up_wait", token)
            raise
        if place is None or place < 0:
            raise BrokenBarrierError
        return int(place)

    def reset(self) -> None:
        """Return to the initial state; waiting parties get BrokenBarrierError."""
        self._call("reset", os.urandom(TOKEN_BYTES))

    def abort(self) -> None:
        """Break the barrier: present and later waits raise BrokenBarrierError until it is reset."""
        self._call("abort")

    def _state(self) -> BarrierState:
        return from_wire(BarrierState, self._call("state"))

    @property
    def parties(self) -> int:
        return self._parties

    @property
    def n_waiting(self) -> int:
        return self._state().waiting

    @property
    def broken(self) -> bool:
        return self._state().is_broken
