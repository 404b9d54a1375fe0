"""What this client has asked for and not yet got: calls to repeat, tasks to watch, outcomes to tell. Pure.

::

    program:  call, watch, forget ──►┐                     ┌──► take_outgoing: calls for the connection
                                     │       PendingCalls        ├──► take_settled:  answers for who asked
    line:     connected, lost, ─────►┘                     └──► take_deliveries:     outcomes for who listens
              disconnected, answered, refused

Events in, effects out: no socket, clock, thread or lock. Its owner performs the effects, in order. A
ticket and a listener are whatever the owner wants back; the pending never looks inside.

Invariants: 1. every call is settled once: by an answer, a refusal, or ``give_up``, and one that until_done by no refusal that
passes; 2. a call that may be
repeated goes out again, unchanged and in its old order, on the next connection, any other is settled as
Unreachable; 3. a watched task is told once to each of its listeners, whatever connections came and went;
4. a task is never watched before the submit that makes it; 5. at most one collect is under way, and none
is started while nothing is watched.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...common.contract.rows import all_from_wire
from ...common.contract.tasks import OutcomeRow
from ...common.errors import ProtocolError, QuotaExceeded, StoreError, TqError, Unreachable

WATCH_TASKS_MAX: Final = 10_000  # ids in one watch or unwatch call: 180 KB
COLLECT_TASKS_MAX: Final = 4_000  # outcomes in one answer: some milliseconds of work for whoever gets them

TRANSIENT: Final = (StoreError, QuotaExceeded)  # refusals that pass by themselves

_WATCH, _UNWATCH, _COLLECT = "watch", "unwatch", "collect"


@dataclass(slots=True, eq=False)
class PendingCall:
    """One call on its way. ``number`` is its place in the order and its name between pending and line."""

    number: int
    target: Sequence[Any]
    method: str
    args: Sequence[Any]
    ticket: Any = None  # None: the pending's own; nobody waits for the answer
    repeatable: bool = False  # repeating it has the effect of doing it once
    until_done: bool = (
        False  # it is repeated until it is done, also when the store fails: nobody may be waiting for it
    )
    ids: Sequence[bytes] = ()  # the tasks it makes and watches, or watches


class Settled(NamedTuple):
    ticket: Any
    value: Any
    error: TqError | None


class OutcomeDelivery(NamedTuple):
    """Outcomes for a listener; or the error that ends its waiting."""

    listener: Any
    rows: list[OutcomeRow]
    error: TqError | None


class PendingCalls:
    """One client's open business, over any number of connections. ``stream``: its name for its outcomes."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self._results = ("get_result_queue", stream)
        self._connected = False
        self._next_number = 1
        self._waiting: list[PendingCall] = []  # for a connection
        self._in_flight: dict[int, PendingCall] = {}
        self._collecting: int | None = None
        self._watched: dict[bytes, tuple[Hashable, ...]] = {}
        self._alone: tuple[Hashable, ...] = (None,)
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
        ids: Sequence[bytes] = (),
        listener: Hashable | None = None,
    ) -> None:
        """A call whose answer is wanted; ``until_done``: or at least that it is done. With a listener, it is one that makes ``ids`` and watches them."""
        made = ids if listener is not None else ()
        call = PendingCall(self._take_number(), target, method, args, ticket, repeatable, until_done, made)
        if listener is not None:
            self._listen(listener, made)
        if self._connected:
            self._send(call)
            self._pump()
        else:
            self._waiting.append(call)

    def watch(self, listener: Hashable, ids: Sequence[bytes]) -> None:
        """Tell a listener of these tasks' ends; those it waits for already are left alone."""
        new = self._listen(listener, ids)
        if self._connected and new:
            self._watch_calls(new)
            self._pump()

    def forget(self, listener: Hashable) -> None:
        """This listener is gone."""
        dropped = []
        for id, listeners in list(self._watched.items()):
            if listener in listeners:
                rest = tuple(other for other in listeners if other is not listener)
                if rest:
                    self._watched[id] = rest
                else:
                    del self._watched[id]
                    dropped.append(id)
        if self._connected:
            for start in range(0, len(dropped), WATCH_TASKS_MAX):
                self._own_call(_UNWATCH, [dropped[start : start + WATCH_TASKS_MAX]])

    @property
    def watched_tasks(self) -> int:
        return len(self._watched)

    @property
    def has_work(self) -> bool:
        """Whether a connection is wanted at all. A collect that is left parked when all that was watched has
        been forgotten wants nothing."""
        others = len(self._in_flight) - (self._collecting is not None)
        return bool(self._waiting or self._watched or others)

    @property
    def must_finish(self) -> bool:
        """Whether something is still to be done that nobody may be waiting for."""
        return any(call.until_done for call in (*self._waiting, *self._in_flight.values()))

    # what the line reports

    def connected(self) -> None:
        """A new session: it knows nothing of us. Repeat what is open, then watch again what was watched."""
        self._connected = True
        waiting, self._waiting = sorted(self._waiting, key=lambda call: call.number), []
        for call in waiting:
            self._send(call)
        made_later = self._made_later()
        self._watch_calls([id for id in self._watched if id not in made_later])
        self._pump()

    def disconnected(self) -> None:
        """The session is gone, and every call in flight with it."""
        self._connected = False
        for number in list(self._in_flight):
            self.lost(number)

    def lost(self, number: int) -> None:
        """One call went down with its connection; nobody knows whether it was performed."""
        call = self._in_flight.pop(number, None)
        if call is None:
            return
        if number == self._collecting:
            self._collecting = None
        elif call.repeatable:
            self._waiting.append(call)
        elif call.ticket is not None:
            error = Unreachable(
                f"the connection was lost before {call.method} was answered: nobody knows whether it was "
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
                self._tell(all_from_wire(OutcomeRow, value))
            except ProtocolError as error:
                self._fail(list(self._watched), error)
            self._pump()
        elif call.ticket is not None:
            self._settled.append(Settled(call.ticket, value, None))

    def refused(self, number: int, error: TqError) -> None:
        """The master, or the line for want of room in a frame, said no.

        A store that fails ends the session of everybody who watches; the next connection watches anew. So nobody
        who waits for an outcome hears of it: only who wanted something stored.
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
                self._fail(list(self._watched), error)
        elif call.ticket is not None:
            self._settled.append(Settled(call.ticket, None, error))
        if call.ids and not passes:
            self._fail(call.ids, error)

    def give_up(self, error: TqError) -> None:
        """Nothing will be answered any more: everybody who waits gets this error."""
        self._connected, self._collecting = False, None
        for call in sorted([*self._waiting, *self._in_flight.values()], key=lambda call: call.number):
            if call.ticket is not None:
                self._settled.append(Settled(call.ticket, None, error))
        self._waiting.clear()
        self._in_flight.clear()
        self._outgoing.clear()
        self._fail(list(self._watched), error)

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
        self._in_flight[call.number] = call
        self._outgoing.append(call)

    def _own_call(self, method: str, args: Sequence[Any], ids: Sequence[bytes] = ()) -> int:
        """A call nobody repeats: the next connection makes its own from what is watched then."""
        call = PendingCall(self._take_number(), self._results, method, args, ids=ids)
        self._send(call)
        return call.number

    def _watch_calls(self, ids: list[bytes]) -> None:
        for start in range(0, len(ids), WATCH_TASKS_MAX):
            some = ids[start : start + WATCH_TASKS_MAX]
            self._own_call(_WATCH, [some], some)

    def _pump(self) -> None:
        if self._connected and self._watched and self._collecting is None:
            self._collecting = self._own_call(_COLLECT, [COLLECT_TASKS_MAX])

    def _listen(self, listener: Hashable, ids: Sequence[bytes]) -> list[bytes]:
        """The tasks that nobody watched before."""
        watched = self._watched
        if self._alone[0] is not listener:
            self._alone = (listener,)  # one tuple for all its tasks: so ``_tell`` knows them at a glance
        alone = self._alone
        if watched.keys().isdisjoint(ids):
            watched.update(dict.fromkeys(ids, alone))
            return list(ids)
        new = [id for id in ids if id not in watched]
        for id in ids:
            listeners = watched.setdefault(id, alone)
            if listener not in listeners:
                watched[id] = (*listeners, listener)
        return new

    def _made_later(self) -> set[bytes]:
        """Tasks whose submit, which watches them too, is still unanswered."""
        calls = [*self._waiting, *self._in_flight.values()]
        return {id for call in calls if call.ticket is not None for id in call.ids}

    def _tell(self, rows: list[OutcomeRow]) -> None:
        """Cut outcomes into runs of the same listeners. Nearly always there is one run."""
        pop = self._watched.pop
        run: list[OutcomeRow] = []
        of_run: tuple[Hashable, ...] = ()
        for row in rows:
            listeners = pop(row.id, None)
            if listeners is not of_run:
                if listeners is None:
                    continue  # forgotten meanwhile, or told before a connection was lost
                run, of_run = [], listeners
                self._deliveries.extend(OutcomeDelivery(listener, run, None) for listener in listeners)
            run.append(row)

    def _fail(self, ids: Iterable[bytes], error: TqError) -> None:
        ended: dict[Hashable, None] = {}
        for id in ids:
            for listener in self._watched.pop(id, ()):
                ended[listener] = None
        self._deliveries.extend(OutcomeDelivery(listener, [], error) for listener in ended)
