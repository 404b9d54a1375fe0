"""A master's metrics: the counts of its meters and the state of its engine, as families of samples.

docs/metrics.md has the list of families; a test compares the two. Memory is read on the event loop,
the store inside a transaction, the disk in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ...common.domain.model import Role, StateNumber
from ...common.errors import StoreError
from ...common.runtime.exposition import Exemplars, Label, counter, gauge, histogram
from ...common.version import VERSION
from ..store.cluster_files import STORE_FILE
from ..strikes.strikes import Strikes
from ..tasks.routes import Routes
from ..tasks.shown import running_by_route, shown_counts
from ..workers.membership import Membership
from .health import ObservedServer
from .meters import MasterMeters, Pair, ProcessMeters
from .overview import oldest_ready_seconds

if TYPE_CHECKING:
    from prometheus_client.core import Metric

# Without an answer in this time the ages are left out; other metrics show a stuck store
AGES_SECONDS_MAX: Final = 2.0
QUEUES_MAX: Final = 200  # with samples of their own
ROUTES_MAX: Final = 1_000  # read for the oldest ready task, so that the transaction stays short

PAIR: Final = ("queue", "task")


class _Looked(NamedTuple):
    """What is read in the store for one page. ``ages``: of the oldest ready task, by queue."""

    ages: dict[str, float]
    exemplars: Exemplars


class MasterMetrics:
    def __init__(self, server: ObservedServer, meters: MasterMeters, data: Path) -> None:
        self._server, self._meters, self._data = server, meters, data
        self._asked: asyncio.Future[_Looked] | None = None

    async def take(self) -> list[Metric]:
        ages, exemplars = await self._looked()
        loop = asyncio.get_running_loop()
        store_bytes = await loop.run_in_executor(None, _store_bytes, self._data)
        return [
            *self._tasks(exemplars),
            *self._queues(ages),
            *self._people(),
            *self._works(),
            gauge("tq_store_bytes", "Size of the store's files.", (), [((), store_bytes)]),
        ]

    def _tasks(self, exemplars: Exemplars) -> list[Metric]:
        meters = self._meters
        now: Counter[tuple[Pair, str]] = Counter()
        routes, running = self._server.engine.part(Routes), Counter[int]()
        for lane, tasks in running_by_route(self._server.engine).items():
            running[routes.plain_number(lane)] += tasks
        for route in routes.plain.values():
            pair = meters.pair(route)
            counts = shown_counts(route.total, running[route.number])
            for state in StateNumber:
                if tasks := counts[state]:
                    now[pair, str(state)] += tasks
        return [
            gauge(
                "tq_tasks",
                "Tasks the store holds.",
                (*PAIR, "state"),
                [((*pair, state), tasks) for (pair, state), tasks in now.items()],
            ),
            counter("tq_tasks_submitted", "Tasks accepted.", PAIR, list(meters.submitted.items())),
            counter("tq_tasks_started", "Attempts that began.", PAIR, list(meters.started.items())),
            counter(
                "tq_tasks_returned",
                "Tasks that a worker handed back before they began.",
                PAIR,
                list(meters.returned.items()),
            ),
            counter(
                "tq_tasks_finished",
                "Tasks that came to their end.",
                (*PAIR, "state"),
                [((*pair, str(state)), count) for (pair, state), count in meters.finished.items()],
            ),
            counter(
                "tq_tasks_retried",
                "Attempts after which another follows.",
                PAIR,
                list(meters.retried.items()),
            ),
            counter(
                "tq_attempts_unsuccessful",
                "Attempts that did not succeed.",
                (*PAIR, "outcome"),
                [((*pair, str(outcome)), count) for (pair, outcome), count in meters.unsuccessful.items()],
            ),
            counter("tq_results_stale", "Results that came too late.", (), [((), meters.stale)]),
            histogram("tq_task_wait_seconds", "From submit to a worker.", PAIR, list(meters.wait.items())),
            histogram("tq_task_run_seconds", "From start to end.", PAIR, list(meters.run.items()), exemplars),
        ]

    def _queues(self, ages: dict[str, float]) -> list[Metric]:
        queues = list(self._server.engine.part(Routes).queues.values())[:QUEUES_MAX]
        return [
            gauge("tq_queue_paused", "1: paused.", ("queue",), [((one.name,), one.paused) for one in queues]),
            gauge(
                "tq_strikes",
                "That hold tasks back.",
                (),
                [((), len(self._server.engine.part(Strikes).by_number))],
            ),
            gauge(
                "tq_queue_oldest_ready_seconds",
                "Since the oldest ready task was submitted.",
                ("queue",),
                [((name,), seconds) for name, seconds in ages.items()],
            ),
        ]

    def _people(self) -> list[Metric]:
        engine = self._server.engine
        workers = engine.part(Membership).listed()
        here = [one for one in workers if one.session is not None]
        sessions = Counter({str(role): 0 for role in Role})
        sessions.update(str(session.role) for session in engine.sessions.connections)
        counts: list[tuple[Label, float]] = [
            (("connected",), len(here)),
            (("absent",), len(workers) - len(here)),
        ]
        return [
            gauge("tq_workers", "Workers.", ("state",), counts),
            gauge(
                "tq_slots",
                "Slots of connected workers.",
                (),
                [((), sum(one.info.slots for one in here if one.info))],
            ),
            gauge("tq_sessions", "Authenticated connections.", ("role",), _one_label(sessions)),
        ]

    def _works(self) -> list[Metric]:
        meters = self._meters
        return [
            histogram("tq_commit_seconds", "How long the store took to commit.", (), [((), meters.commit)]),
            histogram("tq_transaction_calls", "Calls in one transaction.", (), [((), meters.calls)]),
        ]

    async def _looked(self) -> _Looked:
        """Nothing when the store does not answer within AGES_SECONDS_MAX."""
        # One question at a time: each page would add another while the store is stuck.
        if self._asked is None or self._asked.done():
            self._asked = asyncio.get_running_loop().create_future()
            self._server.engine.later(functools.partial(self._look, self._asked))
            self._server.wake()
        # ``wait_for`` would cancel the question, which another page may wait for.
        done, _ = await asyncio.wait([self._asked], timeout=AGES_SECONDS_MAX)
        return self._asked.result() if done else _Looked({}, {})

    def _look(self, asked: asyncio.Future[_Looked]) -> None:
        """Runs in a transaction. A StoreError here must not fail the calls in that transaction."""
        engine, ages = self._server.engine, dict[str, float]()
        exemplars: Exemplars = {}
        left = ROUTES_MAX
        with contextlib.suppress(StoreError):
            for queue in list(engine.part(Routes).queues.values())[:QUEUES_MAX]:
                left -= len(queue.ready)
                if left < 0:
                    break
                seconds = oldest_ready_seconds(engine, queue)
                if seconds is not None:
                    ages[queue.name] = seconds
            exemplars = self._meters.slow.exemplars(engine)
        if not asked.done():
            asked.set_result(_Looked(ages, exemplars))


def _one_label(counts: Counter[str]) -> list[tuple[Label, float]]:
    return [((name,), count) for name, count in counts.items()]


def _store_bytes(data: Path) -> int:
    """Of the store's files."""
    return sum(file.stat().st_size for file in data.glob(f"{STORE_FILE}*"))


class ProcessMetrics:
    """What is a process's, whatever shards it has. ``rejected``: connections, by reason."""

    def __init__(self, meters: ProcessMeters, data: Path, rejected: Callable[[], Mapping[str, int]]) -> None:
        self._meters, self._data, self._rejected = meters, data, rejected

    async def take(self) -> list[Metric]:
        meters = self._meters
        free = (await asyncio.get_running_loop().run_in_executor(None, shutil.disk_usage, self._data)).free
        return [
            counter(
                "tq_connections_rejected",
                "Unauthenticated connections that were rejected, or closed to make room for others.",
                ("reason",),
                [((reason,), count) for reason, count in self._rejected().items()],
            ),
            histogram("tq_loop_lag_seconds", "How late the loop's beat came.", (), [((), meters.lag)]),
            counter(
                "tq_events", "Events by what happened, logged or not.", ("action",), _one_label(meters.events)
            ),
            gauge("tq_build_info", "Always 1.", ("version",), [((VERSION,), 1)]),
            gauge("tq_disk_free_bytes", "Free space where the store is.", (), [((), free)]),
        ]


class ShardsMetrics:
    """Of all shards that a process has now. In a cluster of several each sample says its shard, but for what is the process's."""

    def __init__(self, process: ProcessMetrics, shards: int) -> None:
        self._process, self._are_several = process, shards > 1
        self._of: dict[int, MasterMetrics] = {}

    def add(self, shard: int, metrics: MasterMetrics) -> None:
        self._of[shard] = metrics

    def remove(self, shard: int) -> None:
        self._of.pop(shard, None)

    async def take(self) -> list[Metric]:
        found = {family.name: family for family in await self._process.take()}
        for shard, metrics in list(self._of.items()):
            for family in await metrics.take():
                if self._are_several:
                    family.samples = [
                        one._replace(labels={"shard": str(shard), **one.labels}) for one in family.samples
                    ]
                if family.name in found:
                    found[family.name].samples += family.samples
                else:
                    found[family.name] = family
        return list(found.values())
