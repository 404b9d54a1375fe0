"""A program that writes tasks into its own database, and two relays that hand them over: the shipped ``OutboxRelay`` in the simulated time.

::

    V1  of a row that was handed over the tasks are accepted once, whatever became of them since
    V2  of a row that is marked as sent all tasks were accepted; none waits without end

A relay is killed often between the master's answer and its mark, and comes back when the results of what it handed over are purged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tq.client.cli.outbox.database import ClaimedRow, DatabaseLost, SentRow
from tq.client.cli.outbox.relay import OutboxRelay
from tq.common.contract.outbox import OutboxSubmit
from tq.common.domain.id_runs import runs_with
from tq.common.errors import TqError, Unreachable

from .fibers import Event, Fiber, pause_for, seconds_passed
from .instants import Wrong
from .network import Network
from .program import Program
from .world import MS, SECOND, Process, World

if TYPE_CHECKING:
    from .load import Load, Spec
    from .oracle import Oracle

OUTBOX: Final = ["get_outbox"]
RELAYS: Final = 2
BATCH: Final = 3  # rows at a time
PAUSE_SECONDS: Final = 0.3
DOWN: Final = (0, 200 * MS, 10 * SECOND, 14 * SECOND)  # two of them are longer than results are kept


class Row:
    def __init__(self, position: int, id: bytes, specs: list[Spec]) -> None:
        first = specs[0]
        ids = [spec.id for spec in specs]
        tasks = list(runs_with(ids, [spec.payload for spec in specs]))
        body = OutboxSubmit(first.queue, first.task, first.options, tasks).to_bytes()
        self.claimed = ClaimedRow(position, id, first.queue, first.task, body)
        self.specs, self.state = specs, "waiting"
        self.claimant: Process | None = None


class Table:
    """The program's database. A claim holds its rows until it is over, or the relay is."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.number = 0

    @property
    def waiting(self) -> list[Row]:
        return [row for row in self.rows.values() if row.state == "waiting"]


class TableLine:
    """``OutboxDatabase`` of one life of a relay; each of its calls takes a moment, and is over or not when the relay dies in it."""

    shown = "simulated"

    def __init__(self, table: Table, process: Process, random: Random, sent: Callable[[Row], None]) -> None:
        self._table, self._process, self._random, self._sent = table, process, random, sent

    def _moment(self) -> None:
        pause_for(self._random.randint(50, 2_000) / SECOND)

    def _is_free(self, row: Row) -> bool:
        return row.claimant is None or not row.claimant.alive

    def claim(self, limit: int, queues: Collection[str], positions: Collection[int]) -> list[ClaimedRow]:
        self._moment()
        rows = [
            row
            for position, row in self._table.rows.items()
            if row.state == "waiting"
            and self._is_free(row)
            and row.claimed.queue not in queues
            and position not in positions
        ][:limit]
        for row in rows:
            row.claimant = self._process
        return [row.claimed for row in rows]

    def settle(self, sent: Sequence[int], refused: Sequence[tuple[int, str]]) -> None:
        self._moment()
        if self._random.random() < 0.05:
            self.release()
            raise DatabaseLost("simulated")
        for position in sent:
            row = self._table.rows[position]
            row.state = "sent"
            self._sent(row)
        for position, _ in refused:
            self._table.rows[position].state = "refused"
        self.release()
        self._moment()

    def take_sent(self, seconds: float, limit: int) -> list[SentRow]:
        self._moment()
        rows = [row for row in self._table.rows.values() if row.state == "sent" and self._is_free(row)][
            :limit
        ]
        for row in rows:
            row.claimant = self._process
        return [SentRow(row.claimed.position, row.claimed.id) for row in rows]

    def delete(self, positions: Sequence[int]) -> None:
        self._moment()
        for position in positions:
            del self._table.rows[position]
        self.release()

    def release(self) -> None:
        for row in self._table.rows.values():
            if row.claimant is self._process:
                row.claimant = None


class Answer:
    """As much of a future as the relay asks for."""

    def __init__(self) -> None:
        self._event = Event()
        self._value: tuple[Any, TqError | None] = (None, None)

    def settle(self, value: Any, error: TqError | None) -> None:
        self._value = value, error
        self._event.set()

    def result(self, timeout: float | None = None) -> Any:
        if not self._event.wait(timeout):
            raise TimeoutError
        value, error = self._value
        if error is not None:
            raise error
        return value


class Relay(Program):
    """One life of one relay. ``Hands`` for its ``OutboxRelay``: a call is made on the connection that there is, once."""

    def __init__(
        self,
        world: World,
        network: Network,
        table: Table,
        random: Random,
        name: str,
        sent: Callable[[Row], None],
    ) -> None:
        super().__init__(world, network, name)
        self._random = random
        line: Any = TableLine(table, self.process, random, sent)
        self._relay = OutboxRelay(line, self, seconds_passed, batch=BATCH)  # type: ignore[arg-type]
        self.connect()
        Fiber(self.process, self._run)

    def kill(self) -> None:
        self.process.log("killed")
        Program.drop(self)
        self.process.kill()

    def _run(self) -> None:
        while True:
            try:
                while self._relay.step():
                    pass
            except TqError as error:
                self.process.log(f"rows wait: {type(error).__name__}")
            except TimeoutError:
                self.process.log("rows wait: no answer")
            pause_for(PAUSE_SECONDS)

    # Hands

    def hand_over(self, id: bytes, row: list[Any]) -> Any:
        return self._make("hand_over", [id, row])

    def forget(self, ids: Sequence[bytes]) -> None:
        self._make("forget", [list(ids)]).result(10.0)

    def drop(self) -> None:
        if self.connection is not None:
            self.connection.end("the relay has given up waiting for the answer")

    def _make(self, method: str, args: list[Any]) -> Answer:
        answer = Answer()
        if self.connection is None or self.connection.over:
            answer.settle(None, Unreachable("no connection"))
        else:
            self.connection.call(OUTBOX, method, args, answer.settle)
        return answer


class OutboxLaws:
    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}  # by the ids of their tasks
        self._accepted: Counter[bytes] = Counter()

    def take(self, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            if event["what"] == "submitted" and event["id"] in self.rows:
                self._accepted[event["id"]] += 1
                if self._accepted[event["id"]] > 1:
                    raise Wrong("V1", "a row of an outbox was accepted twice", event["id"])

    def is_accepted(self, row: Row) -> bool:
        return bool(self._accepted[row.specs[0].id])

    def sent(self, row: Row) -> None:
        for spec in row.specs:
            if not self._accepted[spec.id]:
                raise Wrong("V2", "a row is marked as sent, and its task was not accepted", spec.id)


class Outbox:
    """The program, its rows and its relays. ``kill_relay`` is a fault."""

    def __init__(
        self, world: World, network: Network, oracle: Oracle, load: Load, random: Random, until: int
    ) -> None:
        self._world, self._network, self._oracle, self._load = world, network, oracle, load
        self._random, self._until = random, until
        self.table, self.laws = Table(), OutboxLaws()
        self._process = Process(world, "writer")
        self._lives = 0
        self._relays = [self._new_relay() for _ in range(RELAYS)]
        self._process.later(random.randint(MS, 300 * MS), self._write)

    @property
    def waits(self) -> bool:
        return bool(self.table.waiting)

    def _new_relay(self) -> Relay:
        self._lives += 1
        return Relay(self._world, self._network, self.table, self._random, f"relay-{self._lives}", self._sent)

    def _write(self) -> None:
        if self._world.now >= self._until:
            return
        self._process.later(self._random.randint(MS, 2 * SECOND), self._write)
        specs = self._load.of_outbox(self._random)
        self._oracle.submitting([spec.id for spec in specs])
        self.table.number += 1
        row = self.table.rows[self.table.number] = Row(self.table.number, self._random.randbytes(16), specs)
        self.laws.rows.update((spec.id, row) for spec in specs)

    def _sent(self, row: Row) -> None:
        self._oracle.sent(self.laws, row)

    def kill_relay(self) -> None:
        """At a moment when it has handed rows over that it has not marked, if there is one."""
        place = self._random.randrange(RELAYS)
        relay = self._relays[place]
        if not relay.process.alive:
            return
        relay.kill()
        self._world.schedule(self._random.choice(DOWN), self._process, lambda: self._replace(place))

    def _replace(self, place: int) -> None:
        self._relays[place] = self._new_relay()

    def kill_when_accepted(self) -> None:
        """All relays, as soon as a row of theirs is accepted that they have not marked."""
        until = self._world.now + 4 * SECOND

        def look() -> None:
            unmarked = [row for row in self.table.waiting if self.laws.is_accepted(row)]
            if unmarked:
                for place in range(RELAYS):
                    if self._relays[place].process.alive:
                        self._relays[place].kill()
                        self._world.schedule(
                            DOWN[-1], self._process, lambda place=place: self._replace(place)
                        )
            elif self._world.now < min(until, self._until):
                self._world.schedule(MS, self._process, look)

        look()
