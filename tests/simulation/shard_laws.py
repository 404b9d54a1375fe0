"""What must be so of a cluster of several shards, whatever befalls them.

::

    Y1  each task is in the shard of its id, and that is the shard of its queue, unless this is in every one
    Y2  what was submitted is in one store and once, and nothing else is; what a worker reported is taken once
    Y3  what was found before a restart is found after it, by a program that learns then how many shards there are
    Y4  a lock is held once in all shards together
    Y5  who submitted a task learns of its end once, as the store and the worker's report have it
    Y6  a list over all shards has what their stores have
    Y7  under a limit never more run in all shards together than it lets; and each task is where its limits are
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from tq.common.domain.id_runs import IdRun
from tq.common.domain.limit_parts import has_tag
from tq.common.domain.limits import Limit
from tq.common.domain.model import StateNumber
from tq.common.domain.shards import is_spread, shard_of_id, shard_of_name
from tq.common.wire.frames import unpack

from .limited import LEASED
from .oracle import Broken
from .shard_process import ShardProcess
from .shard_program import ShardProgram
from .shard_worker import DONE, ShardWorker
from .tables import read

DIVIDED: Final = "all"  # the name of a limit
SPREAD: Final = "{spread}fetch"  # a queue in every shard
HOST: Final = Limit("{spread}host", max_running=1, by="{host}")  # of its tasks
LANES: Final = "SELECT lane FROM routes WHERE lane <> x''"
SHOWN: Final = tuple(map(str, StateNumber))  # in a row of a queue


class ShardLaws:
    """``submitted``: in which shard, and by whom. ``tokens``: of locks that are held, and by whom; None: by who routes wrongly."""

    def __init__(self, processes: Sequence[ShardProcess]) -> None:
        self._processes = processes
        self.submitted: dict[bytes, tuple[int, ShardProgram]] = {}
        self.tokens: dict[str, tuple[ShardProgram | None, bytes]] = {}
        self.most: Counter[str] = Counter()  # that a limit lets run, by its name
        self._divided: dict[int, int] = {}  # how many of these run, by shard, at the last look
        self._left: dict[int, int] = {}  # so many of them ran when it was set, and have not ended

    def tasks(self) -> list[tuple[bytes, str, int, int]]:
        """Of all stores: id, queue, state, and the shard in whose store it is."""
        found: list[tuple[bytes, str, int, int]] = []
        for process in self._processes:
            ask = process.store._run
            queues = dict(ask("SELECT route, queue FROM routes"))
            for row in read(ask):
                run = IdRun(row.id, row.stop - row.seq)
                found += ((id, queues[row.route], row.state, process.number) for id in run.ids())
        return found

    def look(self) -> None:
        """After each event."""
        tasks = self.tasks()
        for id, queue, _, shard in tasks:
            if shard_of_id(id) != shard:
                raise Broken("Y1", f"a task of shard {shard_of_id(id)} is in shard {shard}", id)
            if (home := shard_of_name(queue, len(self._processes))) != shard and not is_spread(queue):
                raise Broken("Y1", f"a task of queue {queue}, of shard {home}, is in shard {shard}", id)
            if id not in self.submitted:
                raise Broken("Y2", "a task is there that no one has submitted", id)
        if len({id for id, _, _, _ in tasks}) < len(tasks):
            raise Broken("Y2", "a task is there twice")
        self._look_at_limits()

    def _look_at_limits(self) -> None:
        running: Counter[str] = Counter()
        for process in self._processes:
            ask, here = process.store._run, Counter[str]()
            for (lane,) in ask(LANES):
                for name, key, _ in unpack(lane)[1]:
                    home = shard_of_name(key if is_spread(name) else name, len(self._processes))
                    if has_tag(name) and home != process.number:
                        raise Broken("Y7", f"tasks under {name} {key} are in shard {process.number}")
            for lane, seq, stop, *_ in (row for statement in LEASED for row in ask(statement)):
                for name, key, units in unpack(lane)[1]:
                    here[f"{name} {key}".strip()] += units * (stop - seq)
            running.update(here)
            self._divided[process.number] = here[DIVIDED]
        self._left = {shard: min(left, self._divided[shard]) for shard, left in self._left.items()}
        least = self.most[DIVIDED] // len(self._processes)
        more = Counter({DIVIDED: sum(max(0, left - least) for left in self._left.values())})
        for name, units in running.items():
            if units > self.most[name] + more[name]:
                raise Broken("Y7", f"{units} run under {name}, and it lets {self.most[name]}")

    def limit_was_set(self, most: int) -> None:
        """What runs already may go on: of a shard that has less from now on, beside what others begin."""
        self.most[DIVIDED] = most
        self._left = dict(self._divided)

    def compare(self, shard: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """What was found of a shard before and after a restart."""
        for what, found in before.items():
            if after[what] != found:
                raise Broken(
                    "Y3", f"{what} of shard {shard} before a restart: {found}; after it: {after[what]}"
                )

    def acquired(self, name: str, holder: ShardProgram | None, token: bytes, answer: object) -> None:
        """``answer``: None, the lock was not given."""
        if answer is None:
            if name not in self.tokens:
                raise Broken("Y4", f"no one has the lock {name}, and it is not given")
        elif name in self.tokens:
            raise Broken("Y4", f"the lock {name} is held twice")
        else:
            self.tokens[name] = holder, token

    def listed(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of all queues."""
        listed = Counter({row["name"]: sum(row[state] for state in SHOWN) for row in rows})
        there = Counter(queue for _, queue, _, _ in self.tasks())
        if +listed != there:
            raise Broken("Y6", f"listed are {dict(+listed)}, and there are {dict(there)}")

    def judge(
        self, programs: Sequence[ShardProgram], worker: ShardWorker, calls: Sequence[Future[Any]]
    ) -> None:
        """All has ended."""
        states = {id: state for id, _, state, _ in self.tasks()}
        if lost := self.submitted.keys() - states.keys():
            raise Broken("Y2", f"{len(lost)} tasks are lost", min(lost))
        if waiting := [id for id, state in states.items() if state < 10]:
            raise Broken("liveness", f"{len(waiting)} tasks have not ended", waiting[0])
        for ticket in calls:
            if not ticket.done():
                raise Broken("Y5", "a call was never answered")
            if (error := ticket.exception()) is not None:
                raise Broken("Y5", f"a call was refused: {error}")
        for program in programs:
            own = {(id, states[id]) for id, (_, who) in self.submitted.items() if who is program}
            if Counter(program.ended) != Counter(own):
                raise Broken("Y5", f"known are {len(program.ended)} ends, and {len(own)} tasks have ended")
        for id, outcome in worker.reported.items():
            if states[id] != (StateNumber.SUCCEEDED if outcome == DONE else StateNumber.FAILED):
                raise Broken("Y5", f"reported was {outcome}, and its state is {states[id]}", id)
