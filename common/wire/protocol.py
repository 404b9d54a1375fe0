"""The conversation after WELCOME: calls one way, answers the other. Pure: bytes in, events out.

::

    caller                                   answerer
    CALL [id, target, method, args, kwargs] ──►
    RELAYED_CALL [id, target, method, args, kwargs, child] ──►   a worker's, for one of its children
    CHILD [child, here] ──►                   it may have asked before; it has died
           ◄── RETURN [id, value]  |  ERROR [id, code, message, detail]      later, in any order
    ABANDON id ──►                            the caller no longer waits; no answer follows
    PING ──►  ◄── PONG                        either side's proof of life when it has nothing else to say
    GOODBYE reason                            the sender closes; the reason is for a person

``target`` is ``[name, *args]``: the object is addressed by what it is, not by a session's handle, so a
call means the same on every connection. Every call gets at most one answer.

Knows nothing of roles, of what is exposed, or of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..domain.model import NODE_ID_BYTES
from ..errors import InvalidArgument, ProtocolError, TqError, from_wire, to_wire
from ..values.depth import is_deeper
from ..values.elements import check_elements
from .frames import FRAME_BYTES_MAX, Kind, Skimmed, encode_frame, pack, unpack

TARGET_PARTS_MAX: Final = 8  # an object's name and its arguments
CALL_ID_MAX: Final = 2**63 - 1
ARGUMENTS_MAX: Final = 32  # of one call; the longest method has a dozen
SKIMMED_BYTES_MIN: Final = 64 * 1024  # of a call whose head is judged before the rest is read
HEAD_BYTES_MAX: Final = 4 * 1024  # of one part of it: a name, an argument of the object
# Of containers in a call; values of users travel in it as bytes, and have a limit of their own
CALL_DEPTH_MAX: Final = 32

PING: Final = encode_frame(Kind.PING, b"")
PONG: Final = encode_frame(Kind.PONG, b"")


class Answer(NamedTuple):
    """What a call came to: ``error`` when it is not None, else ``value``."""

    call_id: int
    value: Any
    error: TqError | None


class Request(NamedTuple):
    """A call as it arrived. ``child``: the node of the worker's child that made it."""

    call_id: int
    target: tuple[Any, ...]
    method: str
    args: list[Any]
    kwargs: dict[str, Any]
    child: bytes | None
    size_bytes: int

    @property
    def relayed(self) -> bool:
        return self.child is not None


@dataclass(slots=True, frozen=True)
class Child:
    """A worker's child is here, on this connection too, or has died."""

    node: bytes
    here: bool


@dataclass(slots=True, frozen=True)
class Abandoned:
    call_id: int


@dataclass(slots=True, frozen=True)
class Goodbye:
    reason: str


@dataclass(slots=True, frozen=True)
class Ping:
    pass


class Caller:
    """The side that calls: the client's link and the worker's agent."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._next_call_id = 1

    def call(
        self,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        child: bytes | None = None,
    ) -> tuple[int, bytes]:
        """A new call: its id and its frame. Raises InvalidArgument when it is over the frame limit or has a value that no
        frame can hold; one that sends for others passes this error on to the caller."""
        call_id = self._next_call_id
        parts = [call_id, target, method, args, kwargs]
        kind = Kind.CALL
        if child is not None:
            kind, parts = Kind.RELAYED_CALL, [*parts, child]
        try:
            body = pack(parts)
        except (OverflowError, TypeError, ValueError) as error:  # 2**70, a class, text with half a character
            raise InvalidArgument(f"{method} cannot be asked of {target[0]} with these: {error}") from error
        frame = encode_frame(kind, body, self.frame_bytes_max)
        # Only of a call that can be sent: a refused one leaves no gap in what the master sees.
        self._next_call_id += 1
        return call_id, frame

    def abandon(self, call_id: int) -> bytes:
        return encode_frame(Kind.ABANDON, pack(call_id))

    def understand(self, kind: int, body: memoryview) -> Answer | Goodbye | None:
        """The event in a frame; None for a PONG."""
        if kind == Kind.RETURN:
            match unpack(body):
                case [int(call_id), value]:
                    return Answer(call_id, value, None)
        elif kind == Kind.ERROR:
            match unpack(body):
                case [int(call_id), *fields]:
                    return Answer(call_id, None, from_wire(fields))
        elif kind == Kind.PONG:
            return None
        elif kind == Kind.GOODBYE:
            return _goodbye(body)
        raise ProtocolError(f"the master sent a frame of kind {kind} that has no meaning here")


class Answerer:
    """The side that answers: the master."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self.frame_bytes_max = frame_bytes_max

    def head(self, kind: int, body: memoryview) -> Request | None:
        """A large call without its content, to be validated before memory is spent on the content: ``args`` and ``kwargs``
        have None for each value. None for a frame that needs no such check; ProtocolError as from ``understand``."""
        # Small ones cost less to read than to skim.
        if kind not in (Kind.CALL, Kind.RELAYED_CALL) or len(body) < SKIMMED_BYTES_MIN:
            return None
        skimmed = Skimmed(body)
        parts = skimmed.array()
        call_id = skimmed.take(HEAD_BYTES_MAX)
        target = [skimmed.take(HEAD_BYTES_MAX) for _ in range(_few(skimmed.array(), TARGET_PARTS_MAX))]
        method = skimmed.take(HEAD_BYTES_MAX)
        count = _few(skimmed.array(), ARGUMENTS_MAX)
        for _ in range(count):
            skimmed.skip()
        kwargs: dict[Any, None] = {}
        for _ in range(_few(skimmed.map(), ARGUMENTS_MAX)):
            name = skimmed.take(HEAD_BYTES_MAX)
            # As ``unpack`` judges keys, which reads them when the head has passed: a list could not be one of a dict.
            if type(name) is not str and type(name) is not bytes:
                raise ProtocolError("an argument of a call is named by text")
            kwargs[name] = None
            skimmed.skip()
        child = [skimmed.take(HEAD_BYTES_MAX) for _ in range(_few(parts - 5, 1))]
        return self._call(kind, [call_id, target, method, [None] * count, kwargs, *child], len(body))

    def understand(self, kind: int, body: memoryview) -> Request | Child | Abandoned | Ping | Goodbye:
        """The event in a frame; ProtocolError for anything that is not one of them."""
        if kind in (Kind.CALL, Kind.RELAYED_CALL):
            # Before it is unpacked: a few bytes may announce a million elements.
            check_elements(body)
            return self._call(kind, unpack(body), len(body))
        if kind == Kind.CHILD:
            match unpack(body):
                case [bytes(node), bool(here)] if _is_node([node]):
                    return Child(node, here)
        if kind == Kind.ABANDON:
            match unpack(body):
                case int(call_id):
                    return Abandoned(call_id)
        elif kind == Kind.PING:
            return Ping()
        elif kind == Kind.GOODBYE:
            return _goodbye(body)
        raise ProtocolError(f"a frame of kind {kind} has no meaning here")

    def _call(self, kind: int, parts: Any, size_bytes: int) -> Request:
        # By types and not by a pattern, which takes several times as long: this is done for every call.
        if type(parts) is list and len(parts) == (6 if kind == Kind.RELAYED_CALL else 5):
            call_id, target, method, args, kwargs, *child = parts
            if (
                type(call_id) is int
                and 0 <= call_id <= CALL_ID_MAX
                and type(target) is list
                and 1 <= len(target) <= TARGET_PARTS_MAX
                and type(target[0]) is type(method) is str
                and type(args) is list
                and type(kwargs) is dict
                and not is_deeper(CALL_DEPTH_MAX - 1, [*target, *args, *kwargs.values()])
                and (not child or _is_node(child))
            ):
                node = child[0] if child else None
                return Request(call_id, tuple(target), method, args, kwargs, node, size_bytes)
        raise ProtocolError(
            f"a call is [id, [object, …], method, args, kwargs], nested at most {CALL_DEPTH_MAX} deep, and a relayed "
            "one has its child's node besides"
        )

    def answer(self, call_id: int, value: Any) -> bytes:
        """A RETURN frame. A value over the frame limit becomes an ERROR that says so."""
        body = pack([call_id, value])
        # Looked at here: what ``encode_frame`` raises would be answered as a bug of the master.
        if len(body) > self.frame_bytes_max:
            sizes = f"{len(body):,} bytes, the limit is {self.frame_bytes_max:,}"
            return self.refuse(call_id, ProtocolError(f"the answer has {sizes}; ask for less at once"))
        return encode_frame(Kind.RETURN, body, self.frame_bytes_max)

    def refuse(self, call_id: int, error: TqError) -> bytes:
        return encode_frame(Kind.ERROR, pack([call_id, *to_wire(error)]), self.frame_bytes_max)


def child_frame(node: bytes, here: bool) -> bytes:
    return encode_frame(Kind.CHILD, pack([node, here]))


def goodbye(reason: str) -> bytes:
    return encode_frame(Kind.GOODBYE, pack(reason))


def _few(count: int, most: int) -> int:
    if not 0 <= count <= most:
        raise ProtocolError(f"a call with {count:,} parts where at most {most} have a meaning")
    return count


def _is_node(parts: list[Any]) -> bool:
    return len(parts) == 1 and type(parts[0]) is bytes and len(parts[0]) == NODE_ID_BYTES


def _goodbye(body: memoryview) -> Goodbye:
    match unpack(body):
        case str(reason):
            return Goodbye(reason)
    raise ProtocolError("a GOODBYE carries one sentence")
