"""A worker's metrics: what the master acknowledged, and what its agent and children are doing now."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...common.domain.model import OutcomeNumber
from ...common.runtime.exposition import counter, gauge, histogram
from ...common.runtime.histogram import DISK_SECONDS, SECONDS, Buckets
from ...common.version import VERSION
from ..agent.ended import EndedSlice
from ..agent.finish_call import FinishCall
from .memory import resident_bytes
from .supervisor import Supervisor

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class WorkerMeters:
    """Counts every report that the master has acknowledged."""

    def __init__(self) -> None:
        self.outcomes: Counter[OutcomeNumber] = Counter()
        self.stale = 0
        self.run, self.lag = Buckets(SECONDS), Buckets(DISK_SECONDS)
        self.events: Counter[str] = Counter()

    def acknowledged(self, call: FinishCall, stale: int) -> None:
        seconds: list[float] = []
        for one in call.ended:
            # Counted as a whole: a worker may end tens of thousands a second.
            if isinstance(one, EndedSlice):
                self.outcomes[OutcomeNumber.SUCCESS] += len(one)
                seconds += one.seconds
            else:
                self.outcomes[OutcomeNumber(one.row.outcome)] += 1
                seconds.append(one.row.seconds)
        self.run.observe_all(seconds)
        self.stale += stale


class WorkerMetrics:
    def __init__(self, supervisor: Supervisor, meters: WorkerMeters) -> None:
        self._supervisor, self._meters = supervisor, meters

    async def take(self) -> list[Metric]:
        supervisor, meters = self._supervisor, self._meters
        agents = [pool.agent for pool in supervisor.pools]
        ready = sum(agent.children.ready_count for agent in agents)
        running = sum(len(agent.starts.running()) for agent in agents)
        waiting = sum(len(agent.backlog.waiting) for agent in agents)
        outbox = sum(len(agent.side.outbox) for agent in agents)
        memory = sum(map(resident_bytes, supervisor.pids))
        outcomes = [((str(outcome),), count) for outcome, count in meters.outcomes.items()]
        events = [((action,), count) for action, count in meters.events.items()]
        return [
            counter("tq_worker_attempts", "Attempts reported and acknowledged.", ("outcome",), outcomes),
            counter("tq_worker_results_stale", "Results that came too late.", (), [((), meters.stale)]),
            histogram("tq_worker_run_seconds", "From start to end.", (), [((), meters.run)]),
            gauge("tq_worker_slots", "Tasks that may run at a time.", (), [((), supervisor.slots)]),
            gauge("tq_worker_running", "Tasks that run.", (), [((), running)]),
            gauge(
                "tq_worker_waiting",
                "Tasks in hand that no child has.",
                (),
                [((), waiting)],
            ),
            gauge("tq_worker_outbox", "Results the master has not taken.", (), [((), outbox)]),
            gauge("tq_worker_connected", "1: connected to a master.", (), [((), supervisor.connected)]),
            gauge("tq_worker_draining", "1: takes nothing more.", (), [((), supervisor.draining)]),
            gauge("tq_worker_children", "Child processes ready to run.", (), [((), ready)]),
            counter("tq_worker_children_died", "Those that died.", (), [((), meters.events["child.died"])]),
            gauge("tq_worker_children_memory_bytes", "Memory of the children.", (), [((), memory)]),
            histogram("tq_loop_lag_seconds", "How late the loop's beat came.", (), [((), meters.lag)]),
            counter("tq_events", "Events by what happened, logged or not.", ("action",), events),
            gauge("tq_build_info", "Always 1.", ("version",), [((VERSION,), 1)]),
        ]
