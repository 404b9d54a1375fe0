"""The standard library's ``BaseManager``, over tq. The managers with built-in types are in ``manager_types.py``.

::

    register(typeid, …) ──► the registry of the class
    start(), get_server() ──► a real tq-master, a child of this program
    connect() ──► an App;   manager.typeid(…) ──► a proxy, known by its name: it outlives reconnects and restarts

Argument names, defaults, states and exceptions are those of ``multiprocessing.managers``. docs/howto/from-managers.md
lists the differences: callables need names, values are plain data and never pickled, and with ``data=`` the manager's
objects outlive it.
"""

from __future__ import annotations

import enum
import errno
import inspect
import json
import sys
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import AuthenticationError, ProcessError, current_process
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, NamedTuple, NoReturn, Self

from ...common.auth.keys import AUTHKEY_CHARS_MIN
from ...common.domain.naming import callable_name
from ...common.errors import ConfigError, InvalidArgument, Rejected, Unreachable
from ...common.values.codec import encode_call
from ...common.wire.address import Address, is_loopback, parse_address
from ..app import App
from ..core.pickling import authkey_text, remember, url_of
from ..core.session import ClientSession
from ..local.cluster import EmbeddedCluster
from .proxies import OF_DATA, TARGET, decode_answer

CONNECT_SECONDS: Final = 5.0


class ManagerState(enum.Enum):
    """The state of a manager; the three states of the standard library."""

    INITIAL = "initial"
    STARTED = "started"
    SHUTDOWN = "shutdown"


class Registered(NamedTuple):
    """A registered typeid. ``make``: makes a proxy from the manager and the arguments of the call."""

    make: Callable[..., Any] | None = None
    callable: str | None = None  # by name
    proxytype: Callable[..., Any] | None = None
    exposed: Sequence[str] | None = None
    method_to_typeid: Mapping[str, str] | None = None


class BaseManager:
    """A ``multiprocessing.managers.BaseManager`` whose server is a tq-master.

    A ``with`` block starts the server and stops it at its end. Callables that are registered need names that the server can
    import, and values are plain data: nothing is pickled.

    Args:
        address: ``(host, port)`` to serve at, or of the server to connect to. ``("", port)`` is every interface of this host;
            by default a free port of loopback.
        authkey: The key that server and clients share, as bytes or text; by default the authkey of this process. Other hosts
            can connect when it has 16 characters or more.
        serializer: Only ``"msgpack"``.
        ctx: Taken and not used: the server is a program of its own.
        shutdown_timeout: Seconds that ``shutdown`` waits for the server before it kills it; by default 1.
        data: A directory that keeps queues, values and locks for the next start; by default everything ends with the manager.

    Raises:
        InvalidArgument: The authkey is empty, or the address is none.
        ValueError: The serializer is another one.

    Example::

        with SyncManager(authkey=b"abc") as manager:
            counts = manager.dict()
            counts["seen"] = 1
    """

    _registry: ClassVar[dict[str, Registered]] = {}

    def __init__(
        self,
        address: tuple[str, int] | None = None,
        authkey: bytes | str | None = None,
        serializer: str = "msgpack",
        ctx: Any = None,
        *,
        shutdown_timeout: float = 1.0,
        data: str | Path | None = None,
    ) -> None:
        if serializer != "msgpack":
            raise ValueError(
                f"serializer={serializer!r} is unknown here: values travel as msgpack, never pickled"
            )
        self._address = None if address is None else _address(address)
        if authkey is not None and len(authkey) == 0:
            raise InvalidArgument(
                "the authkey is empty, so any program would have it; None takes this process's own"
            )
        self._authkey = authkey_text(current_process().authkey if authkey is None else authkey)
        self._state = ManagerState.INITIAL
        self._shutdown_timeout, self._data = shutdown_timeout, data
        self._cluster: EmbeddedCluster | None = None
        self._app: App | None = None
        self._pools = 0  # made so far

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.value} {self._address or ''}>"

    @property
    def address(self) -> tuple[str, int] | None:
        """The address of the server as ``(host, port)``; None until it is known."""
        return None if self._address is None else (self._address.host, self._address.port)

    # the server

    def start(self, initializer: Callable[..., Any] | None = None, initargs: Sequence[Any] = ()) -> None:
        """Start a tq-master as a child of this program, and connect to it.

        Args:
            initializer: Refused: the server runs no function of yours when it starts.
            initargs: Not used.

        Raises:
            OSError: The address is in use, or the directory cannot be used.
        """
        self._check_initial()
        if initializer is not None:
            raise InvalidArgument(
                "the server is a program of its own that runs no function of yours when it starts; "
                "do it in this program, or in a callable that you register"
            )
        self._serve()
        self._connect()
        assert self._cluster is not None  # noqa: S101 - just started
        # The server ends when the manager and all its proxies are collected, as the standard library documents.
        weakref.finalize(self.app.session, self._cluster.stop, self._shutdown_timeout).atexit = False
        self._cluster.on_end.append(_close_when_broken(self._cluster, self.app.session))

    def get_server(self) -> Server:
        """Make a server that runs in this program's foreground.

        Returns:
            An object with ``serve_forever()`` and ``address``.
        """
        self._check_initial()
        return Server(self)

    def connect(self) -> None:
        """Connect to a running server. This tries for up to five seconds, in case it is just starting.

        Raises:
            ConnectionRefusedError: No server listens there.
            multiprocessing.AuthenticationError: The server has another authkey.
            ProtocolError: The server is not a tq-master but, for example, a manager of the standard library.
        """
        if self._address is None:
            raise InvalidArgument("connect() needs an address: Manager(address=(host, port), authkey=…)")
        self._connect()

    def shutdown(self) -> None:
        """Stop the server that ``start`` started; it is killed after ``shutdown_timeout`` seconds.

        Raises:
            multiprocessing.ProcessError: This manager started no server.
        """
        if self._cluster is None:
            raise ProcessError(
                "only a manager that was started can be shut down; this one is connected, or was never started"
            )
        self._state = ManagerState.SHUTDOWN
        if self._app is not None:
            # Before the server: its calls must not see a connection that breaks.
            self._app.close()
        self._cluster.stop(self._shutdown_timeout)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the server that ``start`` started has ended.

        Args:
            timeout: Seconds to wait; by default there is no limit.
        """
        if self._cluster is not None:
            self._cluster.join(timeout)

    def __enter__(self) -> Self:
        if self._state == ManagerState.INITIAL:
            self.start()
        self._check_started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    # what it serves

    @classmethod
    def register(
        cls,
        typeid: str,
        callable: Callable[..., Any] | None = None,
        proxytype: Callable[..., Any] | None = None,
        exposed: Sequence[str] | None = None,
        method_to_typeid: Mapping[str, str] | None = None,
        create_method: bool = True,
    ) -> None:
        """Register a name under which the server makes objects; ``manager.NAME(…)`` then returns a proxy of one.

        Args:
            typeid: The name.
            callable: Makes the object in the server, which imports it by its name; by default only clients use the name.
            proxytype: Class of the proxies; by default one with the exposed methods.
            exposed: Names of the methods that may be called; by default all public ones.
            method_to_typeid: For methods that return objects: the name that each object's proxy is made by.
            create_method: Whether the manager gets a method of this name.
        """
        if "_registry" not in cls.__dict__:
            # A subclass must not register into the class it inherits from.
            cls._registry = cls._registry.copy()
        _check_proxytype(proxytype)
        known = cls._registry.get(typeid, Registered())
        # The tutorial registers these two by name alone, for a server that has them.
        theirs = callable or proxytype or exposed or typeid in ("get_task_queue", "get_result_queue")
        cls._registry[typeid] = Registered(
            make=None if theirs else known.make,
            callable=None if callable is None else callable_name(callable),
            proxytype=proxytype,
            exposed=exposed or getattr(proxytype, "_exposed_", None),
            method_to_typeid=method_to_typeid or getattr(proxytype, "_method_to_typeid_", None),
        )
        if create_method:
            cls._add_method(typeid)

    @classmethod
    def _offer(cls, makers: Mapping[str, Callable[..., Any]]) -> None:
        """Register built-in typeids, each with the function that makes its proxies."""
        cls._registry = {
            **cls._registry,
            **{typeid: Registered(make=make) for typeid, make in makers.items()},
        }
        for typeid in makers:
            cls._add_method(typeid)

    @classmethod
    def _add_method(cls, typeid: str) -> None:
        def create(self: BaseManager, /, *args: Any, **kwds: Any) -> Any:
            return self._create(typeid, *args, **kwds)

        make = cls._registry[typeid].make
        if make is not None:  # built in: help() and the reference show what it takes
            create.__doc__ = make.__doc__
            create.__signature__ = inspect.signature(make)  # type: ignore[attr-defined]
        create.__name__ = typeid
        create.__qualname__ = f"{cls.__qualname__}.{typeid}"
        setattr(cls, typeid, create)

    def _create(self, typeid: str, /, *args: Any, **kwds: Any) -> Any:
        self._check_started()
        registered = self._registry[typeid]
        if registered.make is not None:
            return registered.make(self, *args, **kwds)
        return self._ask(TARGET, "create", typeid, encode_call(args, kwds))

    def _ask(self, target: tuple[Any, ...], method: str, *args: Any) -> Any:
        assert self.address is not None  # noqa: S101 - started
        answer = self.app.session.ask(target, method, *args)
        return decode_answer(answer, self, self.address, self._authkey)

    def proxytype(self, typeid: str) -> Callable[..., Any] | None:
        """Return the class of the proxies of a registered name.

        Args:
            typeid: The name.

        Returns:
            The class; None when none was registered.
        """
        registered = self._registry.get(typeid)
        return None if registered is None else registered.proxytype

    @property
    def app(self) -> App:
        """The App that the manager's proxies use; its tasks go to the same master."""
        self._check_started()
        assert self._app is not None  # noqa: S101 - started
        return self._app

    # inside

    def _serve(self) -> None:
        wanted = self._address or Address("127.0.0.1", 0)
        host = wanted.host or "0.0.0.0"  # noqa: S104 - what the caller asks for
        if not is_loopback(host) and len(self._authkey) < AUTHKEY_CHARS_MIN:
            warnings.warn(
                f"the authkey has {len(self._authkey)} characters: listening on this machine only; with "
                f"{AUTHKEY_CHARS_MIN} or more, e.g. secrets.token_hex(16), other hosts can connect",
                RuntimeWarning,
                stacklevel=4,
            )
            host = "127.0.0.1"
        self._cluster = EmbeddedCluster(self._data, durability="memory" if self._data is None else "fsync")
        try:
            self._cluster.start_master(str(Address(host, wanted.port)), self._authkey, self._served())
        except ConfigError as error:
            self._cluster.stop()
            number = errno.EADDRINUSE if " is in use; " in str(error) else None
            words = str(error).replace("with --bind", "in address=").replace("with --data", "with data=")
            raise (OSError(words) if number is None else OSError(number, words)) from error
        # The one that was bound: 0 asks for any.
        port = parse_address(self._cluster.address).port
        self._address = Address("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104 - compared with

    def _served(self) -> str | None:
        """For the master that is started: what was registered here."""
        served = {
            typeid: [one.callable, one.exposed and list(one.exposed), dict(one.method_to_typeid or {})]
            for typeid, one in self._registry.items()
            if one.callable is not None or one.exposed is not None
        }
        return json.dumps(served) if served else None

    def _connect(self) -> None:
        assert self._address is not None  # noqa: S101 - by both who call this
        app = App(url_of(self._address), self._authkey, connect_timeout=CONNECT_SECONDS)
        try:
            # Connects now: as the standard library's, connect() fails by itself, not at the first use.
            app.call(("get_master",), "info")
        except Rejected as error:
            app.close()
            raise AuthenticationError(str(error)) from error
        except Unreachable as error:
            app.close()
            raise ConnectionRefusedError(str(error)) from error
        self._app, self._state = app, ManagerState.STARTED
        remember(app.session)

    def _check_initial(self) -> None:
        if self._state == ManagerState.STARTED:
            raise ProcessError("Already started server")
        if self._state == ManagerState.SHUTDOWN:
            raise ProcessError("Manager has shut down")

    def _check_started(self) -> None:
        if self._state == ManagerState.SHUTDOWN:
            raise ProcessError("Manager has shut down")
        if self._state != ManagerState.STARTED:
            raise AssertionError("server not yet started")


def _close_when_broken(cluster: EmbeddedCluster, session: ClientSession) -> Callable[[str], None]:
    """A callback that closes the session when the server has died, which ends all waits: no program starts it again. It
    holds the session weakly, because the server ends when the session is collected."""
    held = weakref.ref(session)

    def close(why: str) -> None:
        known = held()
        if known is not None and cluster.is_broken:
            known.close(why)

    return close


def _check_proxytype(proxytype: Any) -> None:
    """Refuse proxies of the standard library: they work with its servers only and would fail with KeyError: 'msgpack'."""
    theirs = sys.modules.get("multiprocessing.managers")
    if theirs is None or proxytype is None:
        return
    name = getattr(proxytype, "__name__", repr(proxytype))
    if proxytype is getattr(theirs, name, None):
        raise InvalidArgument(
            f"{name} of multiprocessing.managers works with its own servers only; {_ours(name)}"
        )
    if isinstance(proxytype, type) and issubclass(proxytype, theirs.BaseProxy):
        raise InvalidArgument(
            f"{name} is derived from a proxy of multiprocessing.managers, which works with its own servers only; "
            "derive it from BaseProxy of tq.managers"
        )


def _ours(name: str) -> str:
    if name in ("AutoProxy", "BaseProxy", "NamespaceProxy", *(kind.__name__ for kind in OF_DATA.values())):
        return f"import it from tq.managers: from tq.managers import {name}"
    return (
        "tq.managers.SyncManager has locks, events, conditions, barriers and pools without registering them"
    )


class Server:
    """The server that ``BaseManager.get_server`` returns."""

    def __init__(self, manager: BaseManager) -> None:
        self._manager = manager

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that it listens on; None before it is started."""
        return self._manager.address

    def serve_forever(self) -> NoReturn:
        """Serve until this program is interrupted.

        Raises:
            SystemExit: At the end, as the standard library's server does.
        """
        self._manager._serve()
        try:
            self._manager.join()
        except KeyboardInterrupt:
            pass  # the normal way to stop it
        finally:
            if self._manager._cluster is not None:
                self._manager._cluster.stop()
        raise SystemExit(0)


def _address(address: Any) -> Address:
    match address:
        case (str(host), int(port)) if 0 <= port <= 65_535:
            return Address(host, port)
    raise InvalidArgument(f"an address is (host, port), e.g. ('', 5000), not {address!r:.80}")
