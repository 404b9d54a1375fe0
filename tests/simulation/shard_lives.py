"""Lives of a cluster of two to four shards, by seeds: an engine and a store for each, killed and started again by themselves.

A simulator of its own beside ``run.py``, without its network and its clock, in which no time passes: what is judged is where things are.
Shipped are the engines with their boundary (``master/api/shards.py``), the number that a store remembers, the client's routes, merges and
pending calls, and by which connection a worker reports. Some calls are made as by a program that routes wrongly; they must change nothing.

::

    submit, work, cancel, lock, list ─┐
    a call to the wrong shard ────────┼─► an event ─► look (shard_laws.py) ─► the next … ─► all shards serve, and everything ends
    a shard dies, starts again ───────┘

``python -m tests.simulation --shards --seeds 500``: that many.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from typing import Any, Final, cast

from tq.client.tasks.spreading import shard_for
from tq.common.domain.columns import LaneColumns
from tq.common.domain.id_runs import IdRun
from tq.common.domain.limits import Limit
from tq.common.domain.shards import shard_of_id, shard_of_name, tag_of, with_shard
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import ConfigError, TqError
from tq.common.values.codec import encode

from .oracle import Broken
from .run import Outcome
from .shard_laws import DIVIDED, HOST, SPREAD, ShardLaws
from .shard_process import ACME, Fate, ShardProcess
from .shard_program import STREAM, ShardProgram
from .shard_rights import Operator
from .shard_worker import TASK, ShardWorker

EVENTS: Final = 60
ROUNDS: Final = 8  # of calls and answers, until what was asked is answered
PEACE: Final = 200  # rounds of work
TURNS: Final = 6  # of the loop
HOSTS: Final = 3  # keys of a limit
NAMES: Final = 3  # of queues, and of locks, in each shard


class HandLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved by hand, so that no wait takes time."""

    now = 0.0

    def time(self) -> float:
        return self.now


class Life:
    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.count = random.randint(2, 4)
        self.loop = HandLoop()
        first = ShardProcess(0, None, self.count)
        others = (ShardProcess(number, first, self.count) for number in range(1, self.count))
        self.processes = [first, *others]
        self.laws = ShardLaws(self.processes)
        self.names = [self._names(shard) for shard in range(self.count)]
        # In every other life: what holds of keys and tenants leaves less room for what holds of limits.
        self.has_bounds = seed % 2 == 0
        self.programs = [self._program(), self._program(ACME if self.has_bounds else "")]
        self.worker = ShardWorker(self.processes, random.randbytes(16), random)
        self.unanswered: list[Future[Any]] = []
        self.faults: Counter[str] = Counter()
        self.divided = Limit(DIVIDED, max_running=2 * self.count)
        self.laws.most[DIVIDED] = self.divided.max_running or 0
        self._next_block = 0
        self.operator = Operator(self)
        self.kinds: list[Callable[[], None]] = [
            *[self.submit] * 4,
            *[self.work] * 6,
            self.cancel,
            *[self.lock] * 2,
            self.list_all,
            *[self.route_wrongly] * 2,
            *[self.set_limit] * 2,
            self.say_a_limit_wrongly,
            *[self.restart] * 3,
            self.die_amid_a_transaction,
            self.start_one,
        ]

        if self.has_bounds:
            self.kinds += [self.operator.set_quota, self.operator.set_cap] * 2

    def _names(self, shard: int) -> list[str]:
        """Some with a tag in braces, which puts them together."""
        found: list[str] = []
        while len(found) < NAMES:
            tag = f"{self.random.getrandbits(24):x}"
            name = self.random.choice((tag, f"{{{tag}}}mail", f"q{{{tag}}}"))
            if shard_of_name(name, self.count) == shard:
                found.append(name)
        return found

    def _program(self, key: str = "") -> ShardProgram:
        return ShardProgram(self.processes, self.loop, self.random.randbytes(16), key)

    def _run(self, shard: int, tasks: int) -> IdRun:
        self._next_block += 1
        number = self._next_block << 80 | 7 << 76 | 1 << 63 | self.random.getrandbits(16) << 32
        return IdRun(with_shard(number, shard).to_bytes(16, "big"), tasks)

    def _is_up(self, shard: int) -> bool:
        return self.processes[shard].bench is not None

    # time

    def turn(self, *programs: ShardProgram) -> None:
        """What programs have asked reaches the shards, and their answers come back."""

        async def turns() -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.loop.now += 1.0
        for program in (*self.programs, *programs):
            program.flush()
        self.loop.run_until_complete(turns())
        for program in (*self.programs, *programs):
            program.flush()

    def settle(self, *programs: ShardProgram) -> None:
        """Until the shards that serve have nothing to do."""
        for _ in range(ROUNDS):
            self.turn(*programs)
            working = [process for process in self.processes if process.has_work]
            if not working:
                return
            for process in working:
                process.step()
        self.turn(*programs)

    def answer(self, ticket: Future[Any], *programs: ShardProgram) -> Any:
        self.settle(*programs)
        if not ticket.done():
            raise Broken("Y3", "a call is not answered, and its shard serves")
        try:
            return ticket.result()
        except TqError as error:
            raise Broken("Y3", f"a call is refused, and its shard serves: {error}") from error

    # what happens

    def submit(self) -> None:
        shard, program = self.random.randrange(self.count), self.random.choice(self.programs)
        tasks = self.random.choice((1, 1, 2, 5, 12))
        run, payloads = self._run(shard, tasks), [encode([[place], {}]) for place in range(tasks)]
        row = [run.first, payloads if tasks > 1 else payloads[0]]
        self.laws.submitted.update(dict.fromkeys(run.ids(), (shard, program)))
        name = self.random.choice([*self.names[shard], SPREAD])
        said = self._said(name)
        if name == SPREAD and self.random.random() < 0.7:
            said = self._of_host(run, str(self.random.randrange(HOSTS)))
            if said is None:
                return
        self.unanswered.append(
            program.call(
                ("get_task_queue", name),
                "submit",
                TASK,
                {},
                [row],
                STREAM,
                *(() if said is None else (None, None, None, None, said)),
                runs=[run],
            )
        )
        if self.random.random() < 0.8:
            self.settle()

    def _said(self, queue: str) -> dict[str, Any] | None:
        """The limits of tasks: none, one of all shards, one of their own."""
        own = Limit(f"{{{tag_of(queue)}}}own", max_running=2)
        self.laws.most[own.name] = own.max_running or 0
        limits = self.random.choice(((), (self.divided,), (self.divided,), (own,), (own, self.divided)))
        if queue == SPREAD:
            limits = tuple(one for one in limits if one is not own)
        tenant = TextColumn((ACME,)) if self.has_bounds and self.random.random() < 0.5 else None
        return LaneColumns(tuple((one, TextColumn(("",))) for one in limits), tenant).to_wire() or None

    def _of_host(self, run: IdRun, host: str) -> dict[str, Any] | None:
        """As a program says it that has chosen the shard of a host; by another one, which gives up, it is refused."""
        self.laws.most[f"{HOST.name} {host}"] = HOST.max_running or 0
        said = LaneColumns(((HOST, TextColumn((host,))),)).to_wire()
        right = shard_for(cast(Any, self.programs[0].lines), SPREAD, [host], ())
        if right == shard_of_id(run.first):
            return said
        for id in run.ids():
            del self.laws.submitted[id]
        if self._is_up(shard_of_id(run.first)):
            row = [run.first, [encode([[0], {}])] * run.length]
            self._is_refused(SPREAD, row, said, HOST.name)
        return None

    def set_limit(self) -> None:
        """Of all shards, by an operator."""
        if not all(map(self._is_up, range(self.count))):
            return
        self.settle()
        most, admin = self.random.randint(self.count, self.divided.max_running or 0), self.programs[0]
        if all(row["name"] != DIVIDED for row in self.answer(admin.call(("get_limits",), "list"))):
            return  # no task has had it yet
        self.laws.look()
        self.laws.limit_was_set(most)
        self.answer(admin.call(("get_limits",), "set", DIVIDED, {"max_running": most}))
        self.faults["limits set"] += 1

    def say_a_limit_wrongly(self) -> None:
        """One that is another shard's, too little for all shards, or with keys that no shard has alone."""
        right, wrong = self.random.sample(range(self.count), 2)
        if not self._is_up(right):
            return
        self.faults["limits out of place"] += 1
        tag = tag_of(self.random.choice(self.names[wrong]))
        limit, key = self.random.choice(
            (
                (Limit(f"{{{tag}}}own", max_running=2), ""),
                (Limit("few", max_running=1), ""),
                (self.divided, "host"),
            )
        )
        said = LaneColumns(((limit, TextColumn((key,))),)).to_wire()
        queue, row = self.random.choice(self.names[right]), [self._run(right, 1).first, encode([[0], {}])]
        self._is_refused(queue, row, said, limit.name)

    def _is_refused(self, queue: str, row: list[Any], said: dict[str, Any], limit: str) -> None:
        asked = self.programs[0].call(
            ("get_task_queue", queue), "submit", TASK, {}, [row], None, None, None, None, None, said
        )
        self.settle()
        if not asked.done() or asked.exception() is None:
            raise Broken("Y7", f"tasks with the limit {limit} of another place were accepted")

    def work(self) -> None:
        shard = self.random.randrange(self.count)
        if self.random.random() < 0.8:
            self.worker.lease(shard)
        if self.random.random() < 0.5:
            self.worker.finish(shard)

    def cancel(self) -> None:
        """Some of several shards in one call."""
        if self.laws.submitted:
            ids = self.random.sample(list(self.laws.submitted), min(len(self.laws.submitted), 3))
            self.unanswered.append(self.programs[0].call(("get_tasks",), "cancel", ids, False))
            self.settle()

    def lock(self) -> None:
        shard, program = self.random.randrange(self.count), self.random.choice(self.programs)
        name = self.random.choice(self.names[shard])
        if not self._is_up(shard):
            return
        holder, token = self.laws.tokens.get(name, (None, b""))
        if holder is not None and self.random.random() < 0.5:
            if not self.answer(holder.call(("get_lock", name), "release", token)):
                raise Broken("Y4", f"the lock {name} was lost by who held it")
            del self.laws.tokens[name]
        else:
            token = self.random.randbytes(16)
            self.laws.acquired(
                name, program, token, self.answer(program.call(("get_lock", name), "acquire", token, False))
            )

    def list_all(self) -> None:
        if all(map(self._is_up, range(self.count))):
            self.settle()
            rows = self.answer(self.programs[0].call(("get_queues",), "list"))
            self.laws.listed(rows)

    def route_wrongly(self) -> None:
        """As a program of another number of shards, or one that knows of none."""
        right, wrong = self.random.sample(range(self.count), 2)
        if not self._is_up(wrong):
            return
        self.faults["wrong routes"] += 1
        program, name = self.random.choice(self.programs), self.random.choice(self.names[right])
        match self.random.randrange(4):
            case 0 | 1 as kind:
                queue = name if kind else self.random.choice(self.names[wrong])
                row = [self._run(right, 1).first, encode([[0], {}])]
                asked = program.call_wrongly(wrong, ("get_task_queue", queue), "submit", TASK, {}, [row])
            case 2:
                token = self.random.randbytes(16)
                asked = program.call_wrongly(wrong, ("get_lock", name), "acquire", token, False)
                self.settle()
                if asked.done() and asked.exception() is None:
                    self.laws.acquired(name, None, token, asked.result())
            case _:
                asked = program.call_wrongly(
                    wrong, ("get_tasks",), "cancel", [self._run(right, 1).first], False
                )
        self.settle()
        if not asked.done():
            raise Broken("Y3", "a call is not answered, and its shard serves")

    def restart(self) -> None:
        """Any of them dies and is started again, alone; sometimes some time later."""
        shard = self.random.randrange(self.count)
        if not self._is_up(shard) or not self._is_up(0):
            return
        self.faults["restarts"] += 1
        self.settle()
        before = self._found(shard)
        self.processes[shard].kill()
        self._start(shard)
        self.laws.compare(shard, before, self._found(shard))

    def die_amid_a_transaction(self) -> None:
        shard = self.random.randrange(self.count)
        self.faults["deaths amid a transaction"] += 1
        if self._is_up(shard):
            self.submit()
            self.worker.ask_to_finish(shard)
            self.turn()
            self.processes[shard].step(self.random.choice(list(Fate)))

    def start_one(self) -> None:
        dead = [shard for shard in range(self.count) if not self._is_up(shard)]
        if dead:
            self._start(self.random.choice(dead))

    def _start(self, shard: int) -> None:
        try:
            self.processes[shard].start()
        except ConfigError as error:
            raise Broken("Y3", f"shard {shard} does not start again: {error}") from error

    def _found(self, shard: int) -> dict[str, Any]:
        """What a program finds that begins now."""
        program = self._program()
        # Until its answer comes a submit may be there or not; such are not asked for.
        ids = [id for id, _, _, _ in self.laws.tasks() if self.laws.submitted[id][0] == shard]
        found: dict[str, Any] = {}
        try:
            states = self.answer(program.call(("get_tasks",), "states", ids), program)
            found["tasks"] = sorted(map(tuple, states))
            for name in self.names[shard]:
                found[f"lock {name}"] = self.answer(program.call(("get_lock", name), "state"), program)
        finally:
            program.end()
        return found

    # the end

    def make_peace(self) -> None:
        """All shards serve, and everything ends."""
        for shard in range(self.count):
            if not self._is_up(shard):
                self._start(shard)
        self.operator.lift_cap()
        for _ in range(PEACE):
            self.settle()
            for shard in range(self.count):
                self.worker.lease(shard)
                self.worker.finish(shard)
            if not self.worker.holds and all(state >= 10 for _, _, state, _ in self.laws.tasks()):
                break
        self.settle()
        self.list_all()
        self.laws.look()
        self.laws.judge(self.programs, self.worker, self.unanswered)

    def close(self) -> None:
        for program in self.programs:
            program.end()
        self.turn()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.turn()
        self.loop.close()
        for process in self.processes:
            process.store.close()


def simulate_shards(seed: int) -> Outcome:
    """Live one life to its end."""
    began = time.perf_counter()
    rule = broken = trace = ""
    life = Life(seed)
    try:
        for _ in range(EVENTS):
            life.random.choice(life.kinds)()
            life.laws.look()
            life.operator.laws.look()
        life.make_peace()
        trace = hashlib.sha256(repr((life.laws.tasks(), life.laws.tokens.keys())).encode()).hexdigest()
    except Broken as found:
        rule, broken = found.rule, str(found)
    except Exception:  # a bug of ours, or of tq's
        broken = traceback.format_exc()
    finally:
        life.close()
    seconds = time.perf_counter() - began
    return Outcome(seed, trace, len(life.laws.submitted), 0, dict(life.faults), rule, broken, "", seconds)
