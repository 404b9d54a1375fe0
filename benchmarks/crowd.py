"""A thousand connected workers of eight slots each, tasks of 100 ms and of 1 s, a long queue.

Measured: how many tasks a second the master hands out and takes back, how much of all slots is busy, how
evenly. Measured with it, and not to be had without: the two processes that play the workers need a good part
of the same two cores. Not measured: hosts, networks, children.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from .cluster import Measured, cluster
from .readings import Readings
from .scale import Scale

PROCESSES: Final = 2
SLOTS: Final = 8
LENGTHS: Final = {"1s": 1.0, "100ms": 0.1}
SETTLE_SECONDS: Final = 2.0
ROOT: Final = Path(__file__).resolve().parents[1]


def crowd(scale: Scale) -> Readings:
    """``crowd.*.tasks`` a second, ``.busy_share``, ``.fairness``, ``.least_share``, ``.simulator_share`` and
    ``.master_share`` of a core; ``crowd.worker_bytes`` of
    the master's memory, for each that has connected."""
    numbers: dict[str, float] = {}
    with cluster(slots=0) as measured:
        bare = float(measured.master.memory_info().rss)
        players = [_player(measured, scale.crowd_workers // PROCESSES) for _ in range(PROCESSES)]
        try:
            for player in players:
                _answer(player)  # all have connected
            grown = measured.master.memory_info().rss - bare
            numbers |= {"crowd.master_bytes": bare, "crowd.worker_bytes": grown / scale.crowd_workers}
            for name, length in LENGTHS.items():
                _top_up(measured, scale, length)
                began, used = time.perf_counter(), _used(measured)
                for player in players:
                    _ask(player, f"{SETTLE_SECONDS + length} {scale.crowd_seconds} {length}")
                numbers |= _summed(f"crowd.{name}", [_answer(player) for player in players])
                share = (_used(measured) - used) / (time.perf_counter() - began)
                numbers[f"crowd.{name}.master_share"] = share
                if not _waiting(measured):
                    raise AssertionError(f"the queue ran dry while tasks of {length:g} s were measured")
        finally:
            for player in players:
                player.kill()
                with player:  # which closes its pipes, and waits for its end
                    pass
    return Readings(numbers={**numbers, "crowd.slots": scale.crowd_workers * SLOTS})


def _top_up(measured: Measured, scale: Scale, length: float) -> None:
    """So many tasks that the queue is never empty while it is measured."""
    seconds = SETTLE_SECONDS + length + scale.crowd_seconds
    all_slots_busy = int(scale.crowd_workers * SLOTS * (seconds / length + 2))
    measured.app.named("bench_tasks:nothing").map(range(min(all_slots_busy, scale.crowd_tasks)))


def _used(measured: Measured) -> float:
    """Processor seconds of the master so far."""
    return float(sum(measured.master.cpu_times()[:2]))


def _waiting(measured: Measured) -> int:
    with measured.client("admin") as admin:
        return sum(int(queue["ready"]) for queue in admin.call(["get_queues"], "list"))


def _player(measured: Measured, workers: int) -> subprocess.Popen[str]:
    arguments = [str(measured.port), str(measured.key("worker")), str(workers), str(SLOTS)]
    command = [sys.executable, "-m", "benchmarks.crowd_worker", *arguments]
    return subprocess.Popen(  # noqa: S603 - ours
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _ask(player: subprocess.Popen[str], line: str) -> None:
    assert player.stdin is not None  # noqa: S101 - a pipe was asked for
    player.stdin.write(line + "\n")
    player.stdin.flush()


def _answer(player: subprocess.Popen[str]) -> Any:
    assert player.stdout is not None  # noqa: S101 - a pipe was asked for
    line = player.stdout.readline()
    if not line:
        raise ConnectionError("a process of simulated workers has ended")
    return json.loads(line)


def _summed(name: str, answers: list[Any]) -> dict[str, float]:
    rates = [done / answer["seconds"] for answer in answers for done, _ in answer["totals"]]
    busy = sum(sum(busy for _, busy in answer["totals"]) / answer["seconds"] for answer in answers)
    return {
        f"{name}.tasks": sum(rates),
        f"{name}.busy_share": busy / (SLOTS * len(rates)),
        f"{name}.fairness": fairness(rates),
        f"{name}.least_share": min(rates) * len(rates) / sum(rates) if any(rates) else 0.0,
        f"{name}.simulator_share": sum(answer["processor"] / answer["seconds"] for answer in answers),
    }


def fairness(rates: list[float]) -> float:
    """Jain's index: 1 when all get the same, 1/n when one gets everything."""
    squares = sum(rate * rate for rate in rates)
    return sum(rates) ** 2 / (len(rates) * squares) if squares else 0.0
