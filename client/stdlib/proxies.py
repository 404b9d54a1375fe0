"""Proxies of a manager's objects, as in ``multiprocessing.managers``: ``BaseProxy`` and its subclasses.

A proxy holds an ident and a session. An object without a name ends with the last proxy in the program that made it; once a
proxy was pickled, it ends with that program. Its calls are not repeated after a lost connection, because it is unknown
whether they were done.

An object with a name outlives programs and restarts. Its calls are numbered, so they are repeated after a lost connection
and still done once.
"""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from ...common.domain.model import StateNumber
from ...common.domain.naming import callable_name
from ...common.errors import InvalidArgument, RemoteError, TaskError, TqError, Unreachable
from ...common.values.codec import decode, encode_call
from ...common.values.failure import Failure, to_error
from ...common.values.references import Reference
from ..core.numbering import NumberedCallers
from ..core.pickling import MasterAddress, master_address_of, session_to, url_of
from ..core.session import ClientSession
from ..items.queue import ItemQueue
from .exceptions import rebuilt

if TYPE_CHECKING:
    from ..app import App

OF_ATTRIBUTES: Final = {
    "__getattribute__",
    "__setattr__",
    "__delattr__",
}  # a proxy itself needs these methods
TARGET: Final = ("get_shared",)


_callers = NumberedCallers()  # of this process, for calls on named objects


class Manager(Protocol):
    """The part of a manager that its proxies use."""

    @property
    def app(self) -> App: ...
    def proxytype(self, typeid: str) -> Callable[..., Any] | None: ...


class Token(NamedTuple):
    """The identity of a proxy's object, with the standard library's field names. ``id``: an ident, or the object's name."""

    typeid: str
    address: tuple[str, int]
    id: bytes | str


class BaseProxy:
    """As ``multiprocessing.managers.BaseProxy``: subclasses set ``_exposed_`` and use ``_callmethod``."""

    _exposed_: ClassVar[Sequence[str] | None] = None

    def __init__(
        self,
        token: Token,
        serializer: str = "msgpack",
        manager: Manager | None = None,
        authkey: str | None = None,
        exposed: Sequence[str] | None = None,
        incref: bool = True,
        manager_owned: bool = False,
        *,
        session: ClientSession | None = None,
    ) -> None:
        self._token, self._manager, self._authkey = token, manager, authkey
        if manager is not None:
            session = manager.app.session
        self._session = (
            session_to(MasterAddress(url_of(token.address), authkey)) if session is None else session
        )
        self._was_pickled: list[bool] = []
        if manager is not None and isinstance(token.id, bytes):
            ours = (self._session, token.id, os.getpid(), self._was_pickled)
            # Not at the exit: the master drops what a program made when its session ends.
            weakref.finalize(self, _drop, *ours).atexit = False

    def _callmethod(
        self, methodname: str, args: Sequence[Any] = (), kwds: Mapping[str, Any] | None = None
    ) -> Any:
        """Call an exposed method in the master. Returns its result or a proxy of it; raises what the method raised."""
        # A slice cannot be sent: it travels as three numbers, and its place says that it was one.
        slices = [at for at, arg in enumerate(args) if isinstance(arg, slice)]
        plain = tuple((arg.start, arg.stop, arg.step) if isinstance(arg, slice) else arg for arg in args)
        call = methodname, encode_call(plain, kwds or {}), slices
        if isinstance(self._token.id, str):
            answer = self._call_named(self._token.id, *call)
        else:
            answer = self._session.ask(TARGET, "call", self._token.id, *call)
        return decode_answer(answer, self._manager, self._token.address, self._authkey)

    def _call_named(self, name: str, *call: Any) -> Any:
        target = ("get_datum", self._token.typeid, name)
        caller = _callers.take()
        try:
            future = self._session.start_call(target, "call", caller.name, next(caller.numbers), *call)
            answer = self._session.answer_of(future)
        except Unreachable:  # the outcome is unknown, so this caller is not used again
            raise
        except TqError:
            _callers.give_back(caller)
            raise
        _callers.give_back(caller)
        return answer

    def _getvalue(self) -> Any:
        """A copy of the object's value."""
        return self._callmethod("#GETVALUE")

    def __reduce__(self) -> tuple[Any, ...]:
        self._was_pickled.append(True)
        key = master_address_of(self._session).authkey
        # The class of an AutoProxy is made at run time: pickle would not find it by name.
        auto = getattr(self, "_isauto", False)
        return _rebuild, (
            AutoProxy if auto else type(self),
            self._token,
            key,
            self._exposed_ if auto else None,
        )

    def _tq_reference(self) -> Reference:
        """Its form inside values."""
        self._was_pickled.append(True)
        auto = getattr(self, "_isauto", False)
        known = auto or OF_DATA.get(self._token.typeid) is type(self)
        exposed = tuple(self._exposed_ or ()) if auto else None
        where = (self._token.typeid, self._token.id, exposed, None if known else callable_name(type(self)))
        return Reference("object", where, self._session.cluster_id())

    def __deepcopy__(self, memo: Any) -> Any:
        return self._getvalue()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object, typeid {self._token.typeid!r} at {id(self):#x}>"

    def __str__(self) -> str:
        try:
            return str(self._callmethod("__repr__"))
        except Exception:
            return repr(self)[:-1] + "; '__str__()' failed>"


def MakeProxyType(name: str, exposed: Sequence[str]) -> type[BaseProxy]:  # noqa: N802 - the standard library's name
    """A proxy class with these methods."""

    def method(called: str) -> Callable[..., Any]:
        return lambda self, /, *args, **kwds: self._callmethod(called, args, kwds)

    methods = {one: method(one) for one in exposed if one not in OF_ATTRIBUTES}
    return type(name, (BaseProxy,), {"_exposed_": tuple(exposed), **methods})


def AutoProxy(  # noqa: N802 - the standard library's name
    token: Token,
    serializer: str = "msgpack",
    manager: Manager | None = None,
    authkey: str | None = None,
    exposed: Sequence[str] | None = None,
    incref: bool = True,
    manager_owned: bool = False,
    *,
    session: ClientSession | None = None,
) -> BaseProxy:
    """A proxy with the methods that the object exposes."""
    kind = MakeProxyType(f"AutoProxy[{token.typeid}]", exposed or ())
    proxy = kind(token, serializer, manager=manager, authkey=authkey, exposed=exposed, session=session)
    proxy._isauto = True  # type: ignore[attr-defined]
    return proxy


class IteratorProxy(BaseProxy):
    _exposed_ = ("__next__", "send", "throw", "close")

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._callmethod("__next__")

    def send(self, value: Any) -> Any:
        return self._callmethod("send", (value,))

    def close(self) -> None:
        self._callmethod("close")


class NamespaceProxy(BaseProxy):
    _exposed_ = ("__getattribute__", "__setattr__", "__delattr__")

    def __getattr__(self, name: str) -> Any:
        # Its own attributes, as in the standard library: they are of the proxy and not of the object.
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        return self._callmethod("__getattribute__", (name,))

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self._callmethod("__setattr__", (name, value))

    def __delattr__(self, name: str) -> None:
        if name.startswith("_"):
            object.__delattr__(self, name)
        else:
            self._callmethod("__delattr__", (name,))


class ValueProxy(BaseProxy):
    _exposed_ = ("get", "set")

    def get(self) -> Any:
        return self._callmethod("get")

    def set(self, value: Any) -> None:
        self._callmethod("set", (value,))

    @property
    def value(self) -> Any:
        return self.get()

    @value.setter
    def value(self, value: Any) -> None:
        self.set(value)


_BaseDictProxy: Any = MakeProxyType(
    "_BaseDictProxy",
    [
        "__contains__",
        "__delitem__",
        "__getitem__",
        "__iter__",
        "__len__",
        "__setitem__",
        "clear",
        "copy",
        "get",
        "items",
        "keys",
        "pop",
        "popitem",
        "setdefault",
        "update",
        "values",
    ],
)


class DictProxy(_BaseDictProxy):  # type: ignore[misc]
    _method_to_typeid_: ClassVar[Mapping[str, str]] = {"__iter__": "Iterator"}

    def __iter__(self) -> Iterator[Any]:
        """For a named dict, an iterator over a copy of the keys: the master stores only its value, and no iterators."""
        keys: Iterator[Any] = (
            iter(self.keys()) if isinstance(self._token.id, str) else self._callmethod("__iter__")
        )
        return keys

    def __reversed__(self) -> Iterator[Any]:
        keys: list[Any] = self.keys()
        return iter(keys[::-1])

    def __or__(self, other: Mapping[Any, Any]) -> Any:
        return self.copy() | _as_plain(other)

    def __ror__(self, other: Mapping[Any, Any]) -> Any:
        return _as_plain(other) | self.copy()

    def __ior__(self, other: Any) -> DictProxy:  # type: ignore[misc]
        self.update(other)
        return self

    def update(self, *args: Any, **kwds: Any) -> None:
        """The pairs may come from any iterable or another proxy."""
        self._callmethod("update", (dict(*args),) if args else (), kwds)


_BaseListProxy: Any = MakeProxyType(
    "_BaseListProxy",
    [
        "__contains__",
        "__delitem__",
        "__getitem__",
        "__len__",
        "__setitem__",
        "append",
        "clear",
        "copy",
        "count",
        "extend",
        "index",
        "insert",
        "pop",
        "remove",
        "reverse",
        "repeated",
        "sort",
    ],
)


class ListProxy(_BaseListProxy):  # type: ignore[misc]
    def sort(self, *, key: None = None, reverse: bool = False) -> None:
        if key is not None:
            raise InvalidArgument(
                "sort(key=…) would run your function in the master; sort a copy: sorted(list(l), key=…)"
            )
        self._callmethod("sort", (), {"reverse": reverse})

    def __setitem__(self, place: Any, value: Any) -> None:
        """A slice is set from any iterable."""
        self._callmethod("__setitem__", (place, list(value) if isinstance(place, slice) else value))

    def extend(self, values: Any) -> None:
        """From any iterable."""
        self._callmethod("extend", (list(values),))

    def __add__(self, other: list[Any]) -> Any:
        return self._getvalue() + other

    def __mul__(self, times: int) -> Any:
        """The master's own list checks the size of the result; a registered list type has no such method."""
        return self.repeated(times) if self._token.typeid == "list" else self._getvalue() * times

    __rmul__ = __mul__

    def __reversed__(self) -> Iterator[Any]:
        values: list[Any] = self._getvalue()
        return iter(values[::-1])

    def __iadd__(self, values: Any) -> ListProxy:  # type: ignore[misc]
        self.extend(values)
        return self

    def __imul__(self, times: int) -> ListProxy:
        self[:] = self * times
        return self


def _as_plain(mapping: Any) -> Any:
    return mapping.copy() if isinstance(mapping, DictProxy) else mapping


_BaseArrayProxy: Any = MakeProxyType("_BaseArrayProxy", ("__len__", "__getitem__", "__setitem__"))


class ArrayProxy(_BaseArrayProxy):  # type: ignore[misc]
    def __setitem__(self, place: Any, value: Any) -> None:
        """A slice is set from an array of the same type code, a place from a number."""
        if isinstance(place, slice) and not isinstance(value, array):
            raise TypeError(f'can only assign array (not "{type(value).__name__}") to array slice')
        self._callmethod("__setitem__", (place, int(value) if isinstance(value, IntEnum) else value))


OF_DATA: Final[dict[str, Callable[..., Any]]] = {
    "dict": DictProxy,
    "list": ListProxy,
    "Namespace": NamespaceProxy,
    "Value": ValueProxy,
    "Array": ArrayProxy,
    "Iterator": IteratorProxy,
}


def decode_answer(
    answer: bytes, manager: Manager | None, address: tuple[str, int], authkey: str | None
) -> Any:
    """The value, queue proxy or object proxy in an answer of the master; raises the error in it."""
    match decode(answer, judged=True):  # by the master, when it was accepted there
        case ["value", value]:
            return value
        case ["queue", str(name), kind, int(maxsize)] if manager is not None:
            return ItemQueue(manager.app.session, name, kind, maxsize)
        case ["object", str(typeid), bytes(ident) | str(ident), list(exposed)]:
            proxytype = None if manager is None else manager.proxytype(typeid)
            make = proxytype or OF_DATA.get(typeid, AutoProxy)
            token = Token(typeid, address, ident)
            return make(token, "msgpack", manager=manager, authkey=authkey, exposed=exposed)
        case ["error", bytes(body)]:
            raise _raised(body)
    raise TqError("the master gave an answer that this version does not know")


def _raised(body: bytes) -> BaseException:
    error = rebuilt(to_error(StateNumber.FAILED, Failure.decode(body)))
    if not isinstance(error, TaskError):
        return error
    remote = RemoteError(f"{error.type}: {error.message}")
    remote.__cause__ = error.__cause__
    return remote


def _drop(session: ClientSession, ident: bytes, pid: int, was_pickled: list[bool]) -> None:
    # A fork copies the proxy, and not the ownership; a pickled one may be in use elsewhere.
    if os.getpid() == pid and not was_pickled:
        # A closed link raises; then the master drops the object by itself, with this node.
        with suppress(TqError, RuntimeError):
            session.start_call(TARGET, "drop", ident)


def _rebuild(kind: Callable[..., Any], token: Token, authkey: str | None, exposed: Any) -> Any:
    return kind(token, "msgpack", authkey=authkey, exposed=exposed)
