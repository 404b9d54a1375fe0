"""Proxies in values: makes a proxy from a reference where the value is decoded.

A reference names its master. The proxy uses the session that this process has with that master: a manager's, any App's
or, inside a task, the worker's. The classes are a closed list; a user's proxy class is used if it is already loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ...common.domain.naming import find_loaded
from ...common.errors import DecodeError
from ...common.values.references import Reference
from ...common.wire.caller import ambient
from ..core.pickling import MasterAddress, address_of, session_to
from ..core.session import ClientSession, every_session
from ..items.queue import ItemQueue, SimpleQueue
from ..locks.events_and_barriers import Barrier, Event, SyncProxy
from ..locks.locks import BoundedSemaphore, Condition, Lock, RLock, Semaphore
from .proxies import OF_DATA, AutoProxy, BaseProxy, Token

_QUEUES: Final = {kind.__name__: kind for kind in (ItemQueue, SimpleQueue)}
_SYNC_KINDS: Final[dict[str, type[SyncProxy]]] = {
    kind.__name__: kind for kind in (Barrier, BoundedSemaphore, Event, Lock, RLock, Semaphore)
}
# The internals of proxies. A class built from a received reference must not override them: Python calls them implicitly.
RESERVED: Final = (
    vars(BaseProxy).keys() | {"__new__", "__del__", "__class__", "__slots__", "__getattr__"}
) - {
    "__repr__",
    "__str__",
}


def proxy_from(reference: Reference) -> Any:
    """The proxy of a reference. Raises DecodeError when this process has no session with its master, or for an unknown
    kind."""
    session = _session_of(reference)
    try:
        return _made(reference, session)
    except DecodeError:
        raise
    except Exception as error:  # a forged reference: the whole value counts as undecodable
        raise DecodeError(f"{reference!r} cannot be made into a proxy here: {error}") from error


def _made(reference: Reference, session: ClientSession) -> Any:
    match reference.kind, reference.where:
        case "object", (str(typeid), (str() | bytes()) as ident, exposed, proxytype):
            if exposed is not None and not RESERVED.isdisjoint(exposed):
                raise DecodeError(f"{reference!r} exposes methods that are internal to proxies")
            token = Token(typeid, address_of(session), ident)
            return _class_of(typeid, proxytype)(
                token, authkey=session.authkey, exposed=exposed, session=session
            )
        case "queue", (str(kind), str(name), rank, int(maxsize)) if kind in _QUEUES:
            return _QUEUES[kind](session, name, rank, maxsize)
        case "sync", ("Condition", str(name), (str(kind), *rest)) if kind in ("Lock", "RLock"):
            lock: Any = _sync(session, kind, rest)
            return Condition(session, lock, name)
        case "sync", (str(kind), *rest) if kind in _SYNC_KINDS:
            return _sync(session, kind, rest)
    raise DecodeError(f"{reference!r} is of a kind that this version does not know")


def _sync(session: ClientSession, kind: str, rest: list[Any]) -> SyncProxy:
    return _SYNC_KINDS[kind]._found(session, *rest)


def _class_of(typeid: str, proxytype: Any) -> Callable[..., Any]:
    found = find_loaded(proxytype) if isinstance(proxytype, str) else None
    if isinstance(found, type) and issubclass(found, BaseProxy):
        return found
    return OF_DATA.get(typeid, AutoProxy)


def _session_of(reference: Reference) -> ClientSession:
    """This process's session with its master."""
    known = next((one for one in every_session() if one.known_cluster == reference.cluster), None)
    if known is not None:
        return known
    if ambient() is not None:
        session = session_to(MasterAddress(None, None))
        if session.cluster_id() == reference.cluster:
            return session
    raise DecodeError(
        f"{reference!r} is at a master that this process has no connection to; connect a manager to that master first, or "
        "run the tasks that use it there: manager.Pool(), tq.Pool(app=manager.app)"
    )
