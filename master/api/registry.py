"""The registry of what clients may call: each name stands for a callable that gives an object, whose exposed methods they call.

As in ``BaseManager``; but the callable has a name of its own (``module:callable``) and is never a lambda, so that a restarted
master serves the same thing. Built-in objects
run inside the engine's transaction; a user's objects run in a thread of their own pool.

Deny by default: a method without a declared role does not exist on the wire.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from ...common.contract.exposed import ALLOWED, declared_role, exposed_methods
from ...common.contract.method import Audited
from ...common.domain.model import Role
from ...common.domain.naming import load_callable
from ...common.errors import ConfigError, Forbidden, InvalidArgument, RemoteError, TqError, UnknownObject
from ...common.values.brief import brief
from ...common.values.codec import encode
from ...common.values.exception_text import message, type_name
from ...common.values.failure import MESSAGE_CHARS_MAX
from ...common.wire.protocol import Request
from ..engine.engine import Engine
from ..engine.session import Call, Deed, Session
from .methods import ExposedMethod, methods_of
from .payloads import check_weight, foreign_arguments
from .validation import EngineObject

ONE_PAYLOAD: Final = "an exposed object's method takes one payload of [args, kwargs]"
OBJECTS_MAX: Final = 1_000  # of the user's own kept at once, by name and arguments


class Invocation(NamedTuple):
    """A call that may be made. ``engine``: inside a transaction, with the call as its argument. ``reads``: it changes
    nothing, as every method that viewers may call."""

    run: Callable[[Call], Any]
    engine: bool
    reads: bool = False


class ThreadedObjects(Protocol):
    """Objects under one name that run in threads, and judge their calls themselves."""

    def validate(self, head: Request) -> None:
        """InvalidArgument for a wrong number of arguments of a call that is not decoded yet."""

    def run(self, session: Session, request: Request, role: Role) -> Callable[[Call], Any]:
        """What performs the call. Raises UnknownObject, Forbidden or InvalidArgument."""


class Registry:
    """The names this master serves."""

    def __init__(
        self,
        engine: Engine,
        built_in: Mapping[str, type[EngineObject]],
        expose: Mapping[str, str],
        record: Callable[[Call, Deed, Any], None],
        own: Mapping[str, Callable[..., Any]] = {},
        threaded: Mapping[str, ThreadedObjects] = {},
    ) -> None:
        """``built_in``: the master's objects that run inside the engine's transaction. ``record``: is given, inside the transaction, what
        calls of audited methods have done, with their answers. ``own``: those that run in threads,
        as the user's of ``expose`` do. ``threaded``: those in threads that judge their calls themselves."""
        self._threaded = threaded
        self._engine, self._built_in = engine, built_in
        self._record = record
        self._methods = {name: methods_of(kind, name) for name, kind in built_in.items()}
        self._factories: dict[str, Callable[..., Any]] = dict(own)
        self._objects: dict[tuple[Any, ...], Any] = {}
        self._making = threading.Lock()  # guards growing _objects: users' objects run in several threads
        for name, callable_name in expose.items():
            self._register(name, callable_name)

    def _register(self, name: str, callable_name: str) -> None:
        if name in self._built_in or name in self._threaded or name in self._factories:
            raise ConfigError(f"[expose] {name}: this name is built in; choose another")
        if not name.isidentifier() or name.startswith("_"):
            raise ConfigError(
                f"[expose] {name!r} cannot be a name; write e.g. get_counter = {callable_name!r}"
            )
        try:
            self._factories[name] = load_callable(callable_name)
        except TqError as error:
            raise ConfigError(f"[expose] {name}: {error}") from error

    def methods(self) -> dict[str, dict[str, Role]]:
        """Every built-in object's exposed methods and the role each declares."""
        return {name: exposed_methods(kind) for name, kind in self._built_in.items()}

    def validate(self, session: Session, head: Request) -> None:
        """Check a call whose arguments are not decoded yet, by their number and names: raises what ``invocation`` would."""
        name = head.target[0]
        if name in self._threaded:
            self._threaded[name].validate(head)
            return
        self.invocation(session, head)
        if name not in self._built_in and (len(head.args) != 1 or head.kwargs):
            raise InvalidArgument(ONE_PAYLOAD)

    def invocation(self, session: Session, request: Request) -> Invocation:
        """The call that a request makes. Raises UnknownObject, Forbidden or InvalidArgument.

        A relayed call is a child's: it has the rights of a client, even if its worker has more. Only workers
        relay: a viewer would gain a client's rights by marking its own calls as relayed.
        """
        role = session.role
        if request.relayed:
            if role not in ALLOWED[Role.WORKER]:
                raise Forbidden(f"only a worker relays calls, this key has {role}; make the call itself")
            role = Role.CLIENT
        name, *arguments = request.target
        if name in self._threaded:
            return Invocation(self._threaded[name].run(session, request, role), engine=False)
        kind = self._built_in.get(name)
        if kind is None:
            return self._users(name, tuple(arguments), request, _Caller(session, role))
        method = self._methods[name].get(request.method)
        if method is None or role not in method.allowed:
            raise _refusal(name, kind, request.method, _Caller(session, role))
        target = _construct(kind, self._engine, arguments)
        method.check(request)
        if method.audited is not None:
            return Invocation(self._recorded(method, method.audited, target, request), engine=True)
        return Invocation(
            lambda call: method.function(target, call, *request.args, **request.kwargs),
            engine=True,
            reads=method.reads,
        )

    def _recorded(
        self, method: ExposedMethod, audited: Audited, target: EngineObject, request: Request
    ) -> Callable[[Call], Any]:
        """The call, and what it did in the audit log: the one place where that is written down, for every method."""

        def run(call: Call) -> Any:
            deed = call.deed = method.deed(audited, target, request)
            answer = method.function(target, call, *request.args, **request.kwargs)
            self._record(call, deed, answer)
            return answer

        return run

    def _users(self, name: str, arguments: tuple[Any, ...], request: Request, caller: _Caller) -> Invocation:
        factory = self._factories.get(name)
        if factory is None:
            served = ", ".join(sorted([*self._built_in, *self._factories]))
            raise UnknownObject(f"this master exposes no {brief(name, 80)}; it exposes {served}")

        if isinstance(factory, type):  # else what it makes is known when it is made
            _allow(name, factory, request.method, caller)

        def run(call: Call) -> Any:
            target = self._object(factory, (name, *arguments))
            _allow(name, type(target), request.method, caller)
            match request.args:
                case [bytes(payload)] if not request.kwargs:
                    check_weight(payload)
                    called = getattr(target, request.method)
                    positional, keywords = foreign_arguments(called, payload)
                case _:
                    raise InvalidArgument(ONE_PAYLOAD)
            try:
                result = called(*positional, **keywords)
            except (
                BaseException
            ) as error:  # SystemExit too: it is the object's answer, not the end of a thread
                raise _remote(error) from error
            return encode(result, root=f"result of {name}.{request.method}")

        return Invocation(run, engine=False)

    def _object(self, factory: Callable[..., Any], key: tuple[Any, ...]) -> Any:
        """The object of a name and arguments, made on first use, once however many threads ask."""
        try:
            if key not in self._objects:
                with self._making:
                    if key not in self._objects:
                        if len(self._objects) >= OBJECTS_MAX:
                            raise InvalidArgument(f"more than {OBJECTS_MAX:,} exposed objects in use")
                        self._objects[key] = factory(*key[1:])
            return self._objects[key]
        except TypeError as error:
            raise InvalidArgument(f"{key[0]}: {error}") from None
        except TqError:
            raise
        except BaseException as error:
            raise _remote(error) from error


def _remote(error: BaseException) -> RemoteError:
    """What a user's object raised, as its caller sees it. Never raises, even if the error's own methods do."""
    return RemoteError(f"{type_name(error)}: {message(error, MESSAGE_CHARS_MAX)}")


class _Caller(NamedTuple):
    """``role``: with which it calls: that of its session, or that of a client if it is a task."""

    session: Session
    role: Role


def _allow(name: str, kind: type, method: str, caller: _Caller) -> None:
    needed = declared_role(kind, method)
    if needed is None or caller.role not in ALLOWED[needed]:
        raise _refusal(name, kind, method, caller)


def _refusal(name: str, kind: type, method: str, caller: _Caller) -> TqError:
    """Why a role may not call a method of an object."""
    needed = declared_role(kind, method)
    if needed is None:
        served = (
            ", ".join(sorted(exposed_methods(kind))) or "no methods; mark them with @tq.exposed('client')"
        )
        return UnknownObject(f"{name} has no method {brief(method, 80)}; it has {served}")
    (session, role), needs = caller, f"{name}.{method} needs the role {needed}"
    if role != session.role:
        return Forbidden(
            f"{needs}, and a task calls with the role {role}; call it in a program that has such a key"
        )
    # Another key would not help: a program with an admin's key connects as a client, unless it says otherwise.
    if session.verifier.allows(needed):
        return Forbidden(
            f"{needs}; this key has it, and the program has connected as {role}: write tq.App(role='{needed}')"
        )
    return Forbidden(f"{needs}, this key has {role}; ask for a key with the role {needed}")


def _construct(kind: type[EngineObject], engine: Engine, arguments: list[Any]) -> EngineObject:
    try:
        return kind(engine, *arguments)
    except TypeError:
        raise InvalidArgument(f"{kind.__name__} is not named by {brief(arguments, 80)}") from None
