"""Which sessions watch which tasks: from a task's end to the ``collect`` call that waits for it. Pure but for reads.

Soft state: it ends with the session; a client that reconnects sends its watches again.

Invariants: 1. each watched id yields exactly one outcome; 2. bodies are held only up to a bound per
stream, beyond it a body is read from the store when it is collected; 3. an outcome is sent only in a
reply, hence after its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.ids import id_behind
from ...common.domain.model import StateNumber
from ...common.errors import InvalidArgument
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.id_ranges import IdRanges, blocks_of
from ..engine.part import Part
from ..engine.session import LATER, STREAMS_MAX, Call, Session, Stream
from ..engine.work import Work
from ..store.interface.store import Store
from .routes import Routes, within

BODIES_BYTES_MAX: Final = 8 * 1024 * 1024  # held per stream for a slow collector
ROOM_BYTES: Final = 4 * 1024  # the portion in which they are charged to the account
COLLECT_BYTES_MAX: Final = 4 * 1024 * 1024  # of bodies in one reply; a larger body is sent alone
COLLECT_TASKS_MAX: Final = 10_000
READ_AT_ONCE: Final = 1_000  # bodies, when they are read from the store
UNKNOWN: Final = -1  # the state of a task that was never submitted
ENDED: Final = int(StateNumber.SUCCEEDED)  # states from here on are those of tasks that ended

Watchers = Stream | dict[Stream, None]  # of a task; most have one, which saves a dict

_IN_STORE: Final = object()  # in place of a body that exceeds the bound


class Subscriptions(Part):
    """All streams of all sessions, by the task ids they wait for."""

    def __init__(self, store: Store, routes: Routes) -> None:
        self._store, self._routes = store, routes
        self._work = Work()  # a share of the transaction for outcomes alone
        self._watchers: IdRanges[Watchers] = IdRanges()
        # The tasks of submits of this session that wait: they are not unknown.
        self.coming: Callable[[Session], Set[bytes]] = lambda session: frozenset()
        self._collectable: dict[
            Stream, None
        ] = {}  # streams with outcomes to collect, in order; a dict keeps the order
        self._notified: dict[Stream, None] = {}  # streams that got an outcome in this transaction

    def check_room(self, session: Session, name: str, runs: Iterable[IdRun]) -> None:
        """Raises QuotaExceeded when the account has no room to watch these, too."""
        self._stream(session, name)
        tasks = blocks = 0
        for run in runs:
            tasks += run.length
            blocks += blocks_of(run)
        session.account.check(Resource.WATCHED, tasks)
        session.account.check(Resource.WATCHED_BLOCKS, blocks)

    def expect(self, session: Session, name: str, runs: Iterable[IdRun]) -> None:
        """Watch tasks that cannot have ended yet. The caller has checked the account: see ``check_room``."""
        if not session.open:
            return
        stream = self._stream(session, name)
        before = len(stream.watched)
        for run in runs:
            stream.watched.change(run, _watched)
            self._watchers.change(run, partial(_with, stream))
        session.account.note(Resource.WATCHED, len(stream.watched) - before)  # until they are collected
        _note_blocks(stream)

    def watch(self, session: Session, name: str, runs: Sequence[IdRun]) -> None:
        """Watch tasks in any state: those that have ended, or do not exist for this key, yield their outcome immediately. Raises
        QuotaExceeded."""
        if session.open:  # it was not closed since the call came
            self.check_room(session, name, runs)
            self.watch_known(session, name, runs)

    def watch_known(self, session: Session, name: str, runs: Sequence[IdRun]) -> None:
        """As ``watch``, when the caller has checked the account."""
        if not session.open:  # it was closed in this transaction
            return
        # Before the look: what ends between the two in this transaction is not missed.
        self.expect(session, name, runs)
        stream = self._stream(session, name)
        is_within = within(self._routes, session)
        ids = [id for run in runs for id in run.ids()]
        found = self._store.find(dict.fromkeys(ids))
        states = {one.id: one.state for one in found if is_within(one.route)}
        coming = self.coming(session) if len(states) < len(ids) else ()
        for run in runs_of(_over(ids, states, coming)):
            for part, _ in stream.watched.take(run):
                self._watchers.change(part, partial(_without, stream))
                self._tell_known(stream, part, states)
        _note_blocks(stream)

    def never_come(self, session: Session, runs: Iterable[IdRun]) -> None:
        """Tasks that were watched before they were stored were refused."""
        for stream in session.streams.values():
            for run in runs:
                for part, _ in stream.watched.take(run):
                    self._watchers.change(part, partial(_without, stream))
                    self._tell_known(stream, part, {})
            _note_blocks(stream)

    def _tell_known(self, stream: Stream, run: IdRun, states: Mapping[bytes, int]) -> None:
        """Outcomes of tasks that had ended before they were watched."""
        for state, ids in groupby(run.ids(), lambda one: states.get(one, UNKNOWN)):
            for part in runs_of(ids):
                if state == UNKNOWN:
                    self._tell(stream, part, state, [None] * part.length)
                else:
                    self._tell_stored(stream, part, state)

    def _tell_stored(self, stream: Stream, run: IdRun, state: int) -> None:
        """Once there was no room for a body, those behind it are read when they are collected, too."""
        ids, at = run.ids(), 0
        while (
            at < len(ids)
            and not _ends_in_store(stream)
            and (room := BODIES_BYTES_MAX - stream.bodies_bytes) > 0
        ):
            found = self._stored(ids[at:], room)
            self._tell(stream, IdRun(ids[at], len(found)), state, [body for _, body in found])
            at += len(found)
        if at < len(ids):
            self._tell(stream, IdRun(ids[at], len(ids) - at), state, _IN_STORE)

    def _stored(self, ids: Sequence[bytes], room_bytes: int) -> list[tuple[int, bytes | None]]:
        """The state and the body of each task, up to so many bytes and READ_AT_ONCE tasks; of one at least. It may be more than
        there is room for, by no more than was read before."""
        found: list[tuple[int, bytes | None]] = []
        step = 1
        # Growing steps by the mean so far: a thousand bodies of a megabyte must not be read to keep eight.
        while step and len(found) < min(len(ids), READ_AT_ONCE):
            asked = ids[len(found) : min(len(found) + step, READ_AT_ONCE)]
            rows = {row.id: (row.state, row.body) for row in self._store.outcomes(asked)}
            found += [rows.get(id, (UNKNOWN, None)) for id in asked]
            size = _bytes_of([body for _, body in found])
            step = (
                min(len(found), (room_bytes - size) * len(found) // max(1, size)) if size < room_bytes else 0
            )
        return found

    def unwatch(self, session: Session, name: str, runs: Iterable[IdRun]) -> None:
        if not session.open:
            return
        stream = self._stream(session, name)
        for run in runs:
            for part, _ in stream.watched.take(run):
                self._watchers.change(part, partial(_without, stream))
                session.account.give(Resource.WATCHED, part.length)
        _note_blocks(stream)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Note the outcomes of tasks that became terminal in this transaction."""
        if not self._watchers:
            return
        for run, _, _, state, bodies, _ in tasks:
            for part, streams in self._watchers.take(run):
                start = part.place - run.place
                some = bodies if part.length == run.length else bodies[start : start + part.length]
                for stream in streams if isinstance(streams, dict) else (streams,):
                    stream.watched.take(part)
                    _note_blocks(stream)
                    self._tell(stream, part, state, some)

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
            # Put in again by ``collect`` or by the next outcome.
            del self._collectable[stream]
            if stream.collect is not None and stream.outcomes:
                call, tasks_max = stream.collect
                stream.collect = call.abandon = None
                taken, count, size = self._take(stream, tasks_max)
                self._work.gave(len(taken), size)
                self._work.glanced(count)
                call.answer(taken)

    def is_unsettled(self) -> bool:
        """Whether collects that could be answered are left for the next transaction."""
        return bool(self._collectable)

    def committed(self) -> None:
        """The outcomes of this transaction are durable."""
        self._notified.clear()

    def void(self) -> list[Session]:
        # These streams were promised outcomes that were rolled back: their sessions start over, and watch again.
        notified, self._notified = self._notified, {}
        return list(dict.fromkeys(stream.session for stream in notified))

    def must_reconnect(self, session: Session) -> bool:
        return bool(session.streams)

    def closed(self, session: Session, now: Now) -> None:
        for stream in session.streams.values():
            # Outcomes that wait to be collected were still charged as watched.
            session.account.give(Resource.WATCHED, len(stream.watched) + stream.waiting)
            session.account.give(Resource.WATCHED_BLOCKS, stream.blocks)
            _give_back_room(stream)
            for run, _ in stream.watched.runs():
                self._watchers.change(run, partial(_without, stream))
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

    def _tell(self, stream: Stream, run: IdRun, state: int, bodies: Sequence[bytes | None] | object) -> None:
        """Add outcomes to a stream. ``bodies``: one for each task, or _IN_STORE, which they are as well when there is no room
        for them."""
        held = bodies
        if isinstance(bodies, Sequence):
            size = stream.bodies_bytes + _bytes_of(bodies)
            # No room is no error: the body is in the store, and costs a read later.
            if size > stream.room_bytes and not self._make_room(stream, size):
                held = _IN_STORE
            else:
                stream.bodies_bytes = size
        stream.outcomes.append((run, state, held))
        stream.waiting += run.length
        self._collectable[stream] = self._notified[stream] = None

    def _make_room(self, stream: Stream, size: int) -> bool:
        """Whether ``size`` bytes of bodies may be held for a stream. Charged in portions, because this is called for every task."""
        if size > BODIES_BYTES_MAX:
            return False
        more = max(ROOM_BYTES, size - stream.room_bytes)
        if not stream.session.account.takes(Resource.OUTCOME_BYTES, more):
            return False
        stream.room_bytes += more
        return True

    def _take(self, stream: Stream, tasks_max: int) -> tuple[list[list[Any]], int, int]:
        """Remove outcomes from a stream; returns them, how many tasks they are of, and how many bytes their bodies have."""
        taken: list[list[Any]] = []
        tasks = size = 0
        while stream.outcomes and tasks < tasks_max and size < COLLECT_BYTES_MAX:
            run, state, held = stream.outcomes.popleft()
            if isinstance(held, Sequence) and run.length <= tasks_max - tasks:
                some_bytes = _bytes_of(held)
                if some_bytes <= COLLECT_BYTES_MAX - size:  # all of it, as it came
                    taken.append([run.first, state, held if run.length > 1 else held[0]])
                    tasks, size = tasks + run.length, size + some_bytes
                    stream.bodies_bytes -= some_bytes
                    continue
            count = min(run.length, tasks_max - tasks)
            if held is _IN_STORE:
                found = self._stored(IdRun(run.first, count).ids(), COLLECT_BYTES_MAX - size)
            else:
                found = [(state, body) for body in (held if count == run.length else held[:count])]
            # One body larger than an answer goes alone: otherwise its collector would wait without end.
            count = _fitting(found, COLLECT_BYTES_MAX - size) or (0 if taken else 1)
            taken += _rows(run.first, found[:count])
            some_bytes = _bytes_of([body for _, body in found[:count]])
            tasks, size = tasks + count, size + some_bytes
            if held is not _IN_STORE:
                stream.bodies_bytes -= some_bytes
            if count < run.length:
                rest = IdRun(id_behind(run.first, count), run.length - count)
                # Back to the front: outcomes are collected in the order in which tasks ended.
                stream.outcomes.appendleft((rest, state, held if held is _IN_STORE else held[count:]))
                if count < len(found):
                    break
        stream.waiting -= tasks
        stream.session.account.give(Resource.WATCHED, tasks)
        # Given back when the stream is empty, not for each body: an account is asked rarely.
        if stream.room_bytes and not stream.bodies_bytes:
            _give_back_room(stream)
        return taken, tasks, size


def _over(ids: Iterable[bytes], states: Mapping[bytes, int], coming: Collection[bytes]) -> list[bytes]:
    """Those that have ended, or are in no one's hands."""
    return [
        id
        for id in ids
        if (state := states.get(id, UNKNOWN)) >= ENDED or (state == UNKNOWN and id not in coming)
    ]


def _give_back_room(stream: Stream) -> None:
    stream.session.account.give(Resource.OUTCOME_BYTES, stream.room_bytes)
    stream.room_bytes = 0


def _ends_in_store(stream: Stream) -> bool:
    return bool(stream.outcomes) and stream.outcomes[-1][2] is _IN_STORE


def _note_blocks(stream: Stream) -> None:
    """The blocks of a stream's watched ids are on its account. A few more than were checked do no harm."""
    blocks = stream.watched.blocks
    if blocks != stream.blocks:
        stream.session.account.note(Resource.WATCHED_BLOCKS, blocks - stream.blocks)
        stream.blocks = blocks


def _watched(_: bool | None) -> bool:
    return True


def _with(stream: Stream, watchers: Watchers | None) -> Watchers:
    if watchers is None or watchers is stream:
        return stream
    if not isinstance(watchers, dict):
        return {watchers: None, stream: None}
    watchers[stream] = None
    return watchers


def _without(stream: Stream, watchers: Watchers | None) -> Watchers | None:
    if not isinstance(watchers, dict):
        return None if watchers is stream else watchers
    watchers.pop(stream, None)
    return watchers or None


def _bytes_of(bodies: Sequence[bytes | None]) -> int:
    return sum(map(len, filter(None, bodies)))


def _fitting(found: Sequence[tuple[int, bytes | None]], room_bytes: int) -> int:
    """How many of these have together at most so many bytes."""
    if _bytes_of([body for _, body in found]) <= room_bytes:
        return len(found)
    for count, (_, body) in enumerate(found):
        room_bytes -= len(body) if body is not None else 0
        if room_bytes < 0:
            return count
    return len(found)


def _rows(first: bytes, found: Sequence[tuple[int, bytes | None]]) -> Iterator[list[Any]]:
    """``[id, state, body]`` of a task by itself, ``[first id, state, [body, …]]`` of neighbours in the same state."""
    at = 0
    for state, some in groupby(found, itemgetter(0)):
        bodies = [body for _, body in some]
        yield [id_behind(first, at), state, bodies if len(bodies) > 1 else bodies[0]]
        at += len(bodies)
