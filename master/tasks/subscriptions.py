"""Which sessions watch which tasks: from a task's end to the ``collect`` call that waits for it. Pure but for reads.

Soft state: it ends with the session; a client that reconnects sends its watches again.

Invariants: 1. each watched id yields exactly one outcome; 2. bodies are held only up to a bound per
stream, beyond it a body is read from the store when it is collected; 3. an outcome is sent only in a
reply, hence after its commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...common.errors import InvalidArgument
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import LATER, STREAMS_MAX, Call, Session, Stream
from ..engine.work import Work
from ..store.interface.store import Store
from .routes import Routes, within

BODIES_BYTES_MAX: Final = 8 * 1024 * 1024  # held per stream for a slow collector
ROOM_BYTES: Final = 4 * 1024  # the portion in which they are charged to the account
COLLECT_BYTES_MAX: Final = 4 * 1024 * 1024  # of bodies in one reply; a larger body is sent alone
COLLECT_TASKS_MAX: Final = 10_000
UNKNOWN: Final = -1  # the state of a task that was never submitted

_IN_STORE: Final = object()  # in place of a body that exceeds the bound


class Subscriptions(Part):
    """All streams of all sessions, by the task ids they wait for."""

    def __init__(self, store: Store, routes: Routes) -> None:
        self._store, self._routes = store, routes
        self._work = Work()  # a share of the transaction for outcomes alone
        self._streams: dict[
            bytes, Stream | dict[Stream, None]
        ] = {}  # most tasks have one, which saves a dict
        self._collectable: dict[
            Stream, None
        ] = {}  # streams with outcomes to collect, in order; a dict keeps the order
        self._notified: dict[Stream, None] = {}  # streams that got an outcome in this transaction

    def check_room(self, session: Session, name: str, tasks: int) -> None:
        """Raises QuotaExceeded when the account has no room for so many more watched tasks."""
        self._stream(session, name)
        session.account.check(Resource.WATCHED, tasks)

    def expect(self, session: Session, name: str, ids: Iterable[bytes]) -> None:
        """Watch tasks that cannot have ended yet. The caller has checked the account: see ``check_room``."""
        if not session.open:
            return
        stream, streams = self._stream(session, name), self._streams
        new = [id for id in ids if id not in stream.watched]
        before = len(stream.watched)
        stream.watched.update(new)
        session.account.note(Resource.WATCHED, len(stream.watched) - before)  # until they are collected
        if streams.keys().isdisjoint(new):  # usually a task has no other watcher
            streams.update(dict.fromkeys(new, stream))
        else:
            for id in dict.fromkeys(new):
                _add(streams, id, stream)

    def watch(self, session: Session, name: str, ids: list[bytes]) -> None:
        """Watch tasks in any state: those that have ended, or do not exist for this key, yield their outcome immediately. Raises
        QuotaExceeded."""
        self.check_room(session, name, len(ids))
        self.watch_known(session, name, ids)

    def watch_known(self, session: Session, name: str, ids: list[bytes]) -> None:
        """As ``watch``, when the caller has checked the account."""
        if not session.open:  # it was closed in this transaction
            return
        self.expect(session, name, ids)
        stream = self._stream(session, name)
        is_within = within(self._routes, session)
        found = self._store.find(dict.fromkeys(ids))
        states = {one.id: one.state for one in found if is_within(one.route)}
        room = True  # for bodies: once there is none, the others are read when they are collected
        for id in ids:
            state = states.get(id, UNKNOWN)
            if (state == UNKNOWN or state >= 10) and id in stream.watched:
                self._forget(id, stream)
                if state == UNKNOWN:
                    self._tell(stream, id, state, None)
                elif room:
                    body = self._store.outcomes([id])[0].body
                    room = self._tell(stream, id, state, body)
                else:
                    self._tell(stream, id, state, _IN_STORE)

    def unwatch(self, session: Session, name: str, ids: Iterable[bytes]) -> None:
        stream = self._stream(session, name)
        for id in ids:
            if id in stream.watched:
                self._forget(id, stream)
                session.account.give(Resource.WATCHED)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Note the outcomes of tasks that became terminal in this transaction."""
        streams = self._streams
        if not streams:
            return
        for id, _, _, state, body, _ in tasks:
            found = streams.pop(id, None)
            if found is None:
                continue
            for stream in found if isinstance(found, dict) else (found,):
                stream.watched.discard(id)
                self._tell(stream, id, state, body)

    def collect(self, call: Call, name: str, tasks_max: int) -> object:
        """Answer with outcomes, at least one; parked until there is one."""
        stream = self._stream(call.session, name)
        if stream.collect is not None:
            raise InvalidArgument(f"another collect on stream {name!r} is still waiting")
        stream.collect = (call, min(tasks_max, COLLECT_TASKS_MAX))

        def abandon() -> None:
            stream.collect = None

        call.abandon = abandon
        # Answered in ``settle``, together with outcomes that this transaction adds.
        if stream.outcomes:
            self._collectable[stream] = None
        return LATER

    def begin(self) -> None:
        self._work.begin()

    def settle(self, now: Now) -> None:
        """Answer parked collects that have outcomes, within the share of this transaction."""
        for stream in list(self._collectable):
            if not self._work.is_left:
                break
            del self._collectable[stream]
            if stream.collect is not None and stream.outcomes:
                call, tasks_max = stream.collect
                stream.collect = call.abandon = None
                taken, size = self._take(stream, tasks_max)
                self._work.gave(len(taken), size)
                call.answer(taken)

    def is_unsettled(self) -> bool:
        """Whether collects that could be answered are left for the next transaction."""
        return bool(self._collectable)

    def committed(self) -> None:
        """The outcomes of this transaction are durable."""
        self._notified.clear()

    def void(self) -> list[Session]:
        notified, self._notified = self._notified, {}
        return list(dict.fromkeys(stream.session for stream in notified))

    def must_reconnect(self, session: Session) -> bool:
        return bool(session.streams)

    def closed(self, session: Session, now: Now) -> None:
        for stream in session.streams.values():
            session.account.give(Resource.WATCHED, len(stream.watched) + len(stream.outcomes))
            self._give_back_room(stream)
            for id in list(stream.watched):  # a copy: ``_forget`` removes from the set
                self._forget(id, stream)
            self._collectable.pop(stream, None)
            self._notified.pop(stream, None)
        session.account.give(Resource.STREAMS, len(session.streams))
        session.streams.clear()

    def _stream(self, session: Session, name: str) -> Stream:
        stream = session.streams.get(name)
        if stream is None:
            if len(session.streams) >= STREAMS_MAX:
                raise InvalidArgument(f"more than {STREAMS_MAX} result streams on one connection")
            session.account.take(Resource.STREAMS)
            stream = session.streams[name] = Stream(session)
        return stream

    def _forget(self, id: bytes, stream: Stream) -> None:
        stream.watched.discard(id)
        found = self._streams.get(id)
        if isinstance(found, dict):
            found.pop(stream, None)
        if not found or found is stream:
            self._streams.pop(id, None)

    def _tell(self, stream: Stream, id: bytes, state: int, body: bytes | object | None) -> bool:
        """Add an outcome to a stream; whether there was room for its body. ``body`` may be _IN_STORE."""
        held = body
        if isinstance(body, bytes):
            size = stream.bodies_bytes + len(body)
            if size > stream.room_bytes and not self._make_room(stream, size):
                held = _IN_STORE
            else:
                stream.bodies_bytes = size
        stream.outcomes.append((id, state, held))
        self._collectable[stream] = self._notified[stream] = None
        return held is body

    def _make_room(self, stream: Stream, size: int) -> bool:
        """Whether ``size`` bytes of bodies may be held for a stream. Charged in portions, because this is called for every task."""
        if size > BODIES_BYTES_MAX:
            return False
        more = max(ROOM_BYTES, size - stream.room_bytes)
        if not stream.session.account.takes(Resource.OUTCOME_BYTES, more):
            return False
        stream.room_bytes += more
        return True

    def _give_back_room(self, stream: Stream) -> None:
        stream.session.account.give(Resource.OUTCOME_BYTES, stream.room_bytes)
        stream.room_bytes = 0

    def _take(self, stream: Stream, tasks_max: int) -> tuple[list[list[Any]], int]:
        """Remove outcomes from a stream; returns them and about how many bytes their bodies have."""
        taken: list[list[Any]] = []
        size = 0
        while stream.outcomes and len(taken) < tasks_max and size < COLLECT_BYTES_MAX:
            id, state, held = stream.outcomes[0]
            body = held
            if held is _IN_STORE:
                rows = self._store.outcomes([id])
                state, body = (rows[0].state, rows[0].body) if rows else (UNKNOWN, None)
            size += len(body) if body is not None else 0
            if taken and size > COLLECT_BYTES_MAX:
                break
            stream.outcomes.popleft()
            if held is body and body is not None:
                stream.bodies_bytes -= len(body)
            taken.append([id, state, body])
        stream.session.account.give(Resource.WATCHED, len(taken))
        if stream.room_bytes and not stream.bodies_bytes:
            self._give_back_room(stream)
        return taken, size


def _add(streams: dict[bytes, Stream | dict[Stream, None]], id: bytes, stream: Stream) -> None:
    found = streams.get(id)
    if found is None:
        streams[id] = stream
    elif isinstance(found, dict):
        found[stream] = None
    else:
        streams[id] = {found: None, stream: None}
