"""What this client has asked for and not yet received: calls to repeat, tasks to watch, outcomes to deliver. Pure.

::

    program:    call, watch, forget ─►┐                  ┌──► take_outgoing:   calls for the transport
                                      │   PendingCalls   ├──► take_settled:    answers for the callers
    transport:  connected, lost, ────►┘                  └──► take_deliveries: outcomes for the listeners
                disconnected, answered, refused

Events in, effects out: no socket, clock, thread or lock. The owner performs the effects, in order. Tickets and
listeners are opaque: the owner gets them back as it passed them in.

Invariants: 1. every call is settled once: by an answer, a refusal, or ``give_up``, except that a transient refusal does not
settle a call with ``until_done``; 2. after a lost connection a repeatable call is sent again, unchanged and in its
original order, and any other call is settled as Unreachable; 3. each listener of a task gets its outcome once, however
many connections are lost in between; 4. a task is never watched before the submit that makes it; 5. at most one collect
is under way, and none is started while no task is watched.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from ...common.contract.tasks import OutcomeSlice, outcome_slices
from ...common.domain.id_runs import IdRun
from ...common.errors import ProtocolError, QuotaExceeded, StoreError, TqError, Unreachable
from .watched_tasks import Listeners, WatchedTasks, portions, without

WATCH_TASKS_MAX: Final = 10_000  # ids in one watch or unwatch call: 180 KB
COLLECT_TASKS_MAX: Final = 4_000  # outcomes in one answer: some milliseconds of work for the receiver

TRANSIENT: Final = (StoreError, QuotaExceeded)  # refusals that end without any change by the caller

_WATCH, _UNWATCH, _COLLECT = "watch", "unwatch", "collect"


@dataclass(slots=True, eq=False)
class PendingCall:
    """One call under way. ``number``: its place in the order, and its id between this module and the transport."""

    number: int
    target: Sequence[Any]
    method: str
    args: Sequence[Any]
    ticket: Any = None  # None: one of our own calls, without a waiting caller
    repeatable: bool = False  # repeating it has the effect of doing it once
    until_done: bool = False  # repeated until the master has done it, also after a failure of the store: its caller may be gone
    runs: Sequence[IdRun] = ()  # the tasks it makes and watches, or watches


class Settled(NamedTuple):
    ticket: Any
    value: Any
    error: TqError | None


class OutcomeDelivery(NamedTuple):
    """Outcomes for a listener, or the error that ends its wait."""

    listener: Any
    slices: list[OutcomeSlice]
    error: TqError | None


class PendingCalls:
    """One client's unanswered calls and watched tasks, across any number of connections. ``stream``: the name under which
    the master keeps this client's outcomes."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._results = ("get_result_queue", stream)
        self._connected = False
        self._next_number = 1
        self._waiting: list[PendingCall] = []  # for a connection
        self._in_flight: dict[int, PendingCall] = {}
        self._collecting: int | None = None
        self._watched = WatchedTasks()
        self._outgoing: list[PendingCall] = []
        self._settled: list[Settled] = []
        self._deliveries: list[OutcomeDelivery] = []

    # what the program asks

    def call(
        self,
        ticket: Any,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        repeatable: bool,
        until_done: bool = False,
        runs: Sequence[IdRun] = (),
        listener: Hashable | None = None,
        listeners: Sequence[Hashable] = (),
    ) -> None:
        """Make a call. ``until_done``: repeat it until the master has done it. ``listener``: the call submits the tasks
        ``runs`` and watches them for this listener; ``listeners``: each of them for one of these."""
        made = runs if listener is not None or listeners else ()
        call = PendingCall(self._take_number(), target, method, args, ticket, repeatable, until_done, made)
        # Watched from now on, in this picture: the submit itself says so to the master.
        if listener is not None:
            self._watched.add(listener, made)
        elif listeners:
            ids = [runs[0].first] if len(listeners) == 1 else [id for run in runs for id in run.ids()]
            for one, id in zip(listeners, ids, strict=True):
                self._watched.add_one(one, id)
        if self._connected:
            self._send(call)
            self._pump()
        else:
            self._waiting.append(call)

    def watch(self, listener: Hashable, runs: Iterable[IdRun]) -> None:
        """Deliver the outcomes of these tasks to a listener. Tasks that it watches already are skipped."""
        new = self._watched.add(listener, runs)
        if self._connected and new:
            self._watch_calls(new)
            self._pump()

    def forget(self, listener: Hashable) -> None:
        """Stop watching for this listener."""
        dropped = self._watched.drop(listener)
        if self._connected:
            for some in portions(dropped, WATCH_TASKS_MAX):
                self._own_call(_UNWATCH, [[run.to_wire() for run in some]])

    @property
    def watched_tasks(self) -> int:
        return self._watched.tasks

    @property
    def has_work(self) -> bool:
        """Whether a connection is needed. A collect that stays parked after its last watch was removed does not count."""
        others = len(self._in_flight) - (self._collecting is not None)
        return bool(self._waiting or self._watched.tasks or others)

    @property
    def open_calls(self) -> Iterator[PendingCall]:
        """Those that are not answered yet."""
        return chain(self._waiting, self._in_flight.values())

    # events of the transport

    def connected(self) -> None:
        """A new session, which has no state of ours: repeat the open calls, then watch the watched tasks again."""
        self._connected = True
        # Sorted: lost calls were appended behind younger ones, and the master performs calls in the order of arrival.
        waiting, self._waiting = sorted(self._waiting, key=lambda call: call.number), []
        for call in waiting:
            self._send(call)
        # The new session knows of no watch: all are asked for again.
        self._watch_calls(without(self._watched.runs(), self._made_later()))
        self._pump()

    def disconnected(self) -> None:
        """The session is gone, and every call in flight with it."""
        self._connected = False
        # What was not sent yet is in flight too: the next connection would send it twice, and before older calls.
        self._outgoing.clear()
        for number in list(self._in_flight):
            self.lost(number)

    def lost(self, number: int) -> None:
        """The connection of this call was lost; whether the call was performed is unknown."""
        call = self._in_flight.pop(number, None)
        if call is None:
            return
        if number == self._collecting:
            # Not repeated: outcomes that it had taken along are sent again to the next session that watches the tasks.
            self._collecting = None
        # Sent again unchanged: doing it twice has the effect of doing it once.
        elif call.repeatable:
            self._waiting.append(call)
        elif call.ticket is not None:
            error = Unreachable(
                f"the connection was lost before {call.method} was answered: it is unknown whether it was "
                "done, and it is not repeated because that might do it twice"
            )
            self._settled.append(Settled(call.ticket, None, error))

    def answered(self, number: int, value: Any) -> None:
        call = self._in_flight.pop(number, None)
        if call is None:
            return  # given up meanwhile
        if number == self._collecting:
            self._collecting = None
            try:
                self._tell(outcome_slices(value))
            # What the master sent cannot be read: waiting on would be without end.
            except ProtocolError as error:
                self._fail_all(error)
            self._pump()
        elif call.ticket is not None:
            self._settled.append(Settled(call.ticket, value, None))

    def refused(self, number: int, error: TqError) -> None:
        """The master refused a call, or the transport did because the call does not fit into a frame.

        A failing store ends all sessions that watch tasks; the next connection watches them again. So a StoreError is
        reported only to callers that wanted something stored, never to readers that wait for outcomes.
        """
        call = self._in_flight.pop(number, None)
        if call is None:
            return
        if call.until_done and isinstance(error, TRANSIENT):
            self._waiting.append(call)
            return
        passes = isinstance(error, StoreError) and call.ticket is None
        if number == self._collecting:
            self._collecting = None
            if not passes:
                self._fail_all(error)
        elif call.ticket is not None:
            self._settled.append(Settled(call.ticket, None, error))
        # Its tasks were not stored: a wait for them ends with this error, or it would have no end.
        if call.runs and not passes:
            self._fail(call.runs, error)

    def give_up(self, error: TqError) -> None:
        """No more answers will come: settle all calls and end all watches with this error."""
        self._connected, self._collecting = False, None
        for call in sorted(self.open_calls, key=lambda call: call.number):
            if call.ticket is not None:
                self._settled.append(Settled(call.ticket, None, error))
        self._waiting.clear()
        self._in_flight.clear()
        # Nothing of it may be sent by a later connection: its callers have been answered.
        self._outgoing.clear()
        self._fail_all(error)

    # effects

    def take_outgoing(self) -> list[PendingCall]:
        taken, self._outgoing = self._outgoing, []
        return taken

    def take_settled(self) -> list[Settled]:
        taken, self._settled = self._settled, []
        return taken

    def take_deliveries(self) -> list[OutcomeDelivery]:
        taken, self._deliveries = self._deliveries, []
        return taken

    # inside

    def _take_number(self) -> int:
        number = self._next_number
        self._next_number += 1
        return number

    def _send(self, call: PendingCall) -> None:
        # In flight before it is sent: a transport that refuses a call at once reports it from within ``send``.
        self._in_flight[call.number] = call
        self._outgoing.append(call)

    def _own_call(self, method: str, args: Sequence[Any], runs: Sequence[IdRun] = ()) -> int:
        """A call of our own. It is never repeated: the next connection builds new ones from the tasks watched then."""
        call = PendingCall(self._take_number(), self._results, method, args, runs=runs)
        self._send(call)
        return call.number

    def _watch_calls(self, runs: Iterable[IdRun]) -> None:
        for some in portions(runs, WATCH_TASKS_MAX):
            self._own_call(_WATCH, [[run.to_wire() for run in some]], some)

    def _pump(self) -> None:
        if self._connected and self._watched.tasks and self._collecting is None:
            # Always one under way: an outcome then costs no call of its own.
            self._collecting = self._own_call(_COLLECT, [COLLECT_TASKS_MAX])

    def _made_later(self) -> list[IdRun]:
        """Tasks whose submit is still unanswered: the submit itself watches them, and an earlier watch would find none."""
        return [run for call in self.open_calls if call.ticket is not None for run in call.runs]

    def _tell(self, slices: list[OutcomeSlice]) -> None:
        """Pass outcomes to their listeners, in the order of arrival; neighbours with the same listeners together."""
        some: list[OutcomeSlice] = []
        of_some: Listeners = ()
        for one in slices:
            # What is no longer watched, or was delivered before a connection was lost, is left out.
            for part in self._watched.take(one.run):
                if part.listeners is not of_some:
                    some, of_some = [], part.listeners
                    self._deliveries.extend(OutcomeDelivery(listener, some, None) for listener in of_some)
                some.append(one.part(part.start, part.stop))

    def _fail(self, runs: Iterable[IdRun], error: TqError) -> None:
        parts = (part for run in runs for part in self._watched.take(run))
        ended = dict.fromkeys(listener for part in parts for listener in part.listeners)
        self._deliveries.extend(OutcomeDelivery(listener, [], error) for listener in ended)

    def _fail_all(self, error: TqError) -> None:
        self._deliveries.extend(OutcomeDelivery(listener, [], error) for listener in self._watched.take_all())
