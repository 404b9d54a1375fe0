"""Does anything grow? Minutes at half of the peak rate, results kept for a minute, and every minute a kill -9: ``python -m benchmarks.soak``

A worker, a child and the master are killed in turn; a killed master or worker is started again at once. Maps are submitted at a
steady pace, however long the ones before take, and every result is read; beside them single tasks are submitted one after the other. Minute
by minute: results a second, round trips, the store's file, and the memory of each program. The first minutes fill what is kept
and are not compared; then the first five minutes have to be as the last five, within ten per cent.

A whole soak of 20 minutes writes its table into docs/performance.md.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import psutil
from tq.client.tasks.handles import Handles

from .cluster import Measured, cluster
from .machine import machine
from .soak_minutes import COMPARED_MINUTES, Minute, report
from .speed import SLOTS, WARM_UP_TASKS, end_to_end
from .table import SOAK_BEGIN, SOAK_END, placed

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
WHOLE_MINUTES: Final = 20.0
MINUTE_SECONDS: Final = 60.0
PEAK_TASKS: Final = 100_000
PORTION_SECONDS: Final = 0.25  # between two maps
AHEAD_PORTIONS: Final = 200  # submitted and not read, at most: what comes later waits
KEPT_SECONDS: Final = 60
RESULTS_MAX: Final = 100_000_000  # so that their age alone decides what is deleted
RESULT_SECONDS_MAX: Final = 180.0
SAMPLE_SECONDS: Final = 1.0
CRASHES_MAX: Final = 100  # whatever is killed, each task has a result


class Load:
    """Maps at a steady pace and single tasks one after the other, from threads of their own, until it is stopped."""

    def __init__(self, measured: Measured, rate: float) -> None:
        self._task = measured.app.named("bench_tasks:nothing").using(max_crashes=CRASHES_MAX)
        self._size = max(1, int(rate * PORTION_SECONDS))
        self._submitted: queue.Queue[Handles[Any] | None] = queue.Queue(AHEAD_PORTIONS)
        self._enough = threading.Event()
        self._errors: list[BaseException] = []
        self.results = 0
        self._trips: list[float] = []  # seconds, of those that have ended
        self._threads = [
            threading.Thread(target=self._act, args=[act]) for act in (self._submit, self._read, self._trip)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raises what a thread has raised."""
        if self._errors:
            raise self._errors[0]

    def take_trips(self) -> list[float]:
        """Those since the last look: a soak keeps nothing that grows."""
        taken, self._trips = self._trips, []
        return taken

    def _act(self, act: Any) -> None:
        try:
            act()
        except BaseException as error:
            self._errors.append(error)
            self._enough.set()

    def _submit(self) -> None:
        due = time.monotonic()
        while not self._enough.wait(max(0.0, due - time.monotonic())):
            due += PORTION_SECONDS
            self._submitted.put(self._task.map(range(self._size)))
        self._submitted.put(None)

    def _read(self) -> None:
        while (handles := self._submitted.get()) is not None:
            for _ in handles.results(RESULT_SECONDS_MAX):
                self.results += 1

    def _trip(self) -> None:
        for number in itertools.count():
            if self._enough.is_set():
                return
            began = time.perf_counter()
            self._task.submit(number).result(RESULT_SECONDS_MAX)
            self._trips.append(time.perf_counter() - began)


class Kills:
    """One program after the other, by SIGKILL."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._next = itertools.cycle(
            (("worker", self._worker), ("child", self._child), ("master", self._master))
        )

    def one(self) -> str:
        """Kill the next one; which it was."""
        name, kill = next(self._next)
        kill()
        return name

    def _worker(self) -> None:
        self._measured.kill_worker()
        self._measured.start_worker(SLOTS)

    def _child(self) -> None:
        assert self._measured.worker is not None  # noqa: S101 - it has slots
        self._measured.worker.children()[0].kill()

    def _master(self) -> None:
        self._measured.restart_master()


def soak(minutes: float, share: float) -> Iterator[Minute]:
    """Minute by minute. ``share``: of the peak rate, which is measured first."""
    options = [f"--result-ttl-seconds={KEPT_SECONDS}", f"--results-max={RESULTS_MAX}"]
    with cluster(slots=SLOTS, master_options=options) as measured:
        end_to_end(measured, WARM_UP_TASKS)
        rate = max(end_to_end(measured, PEAK_TASKS)[0] for _ in range(2)) * share
        kills = Kills(measured)
        with Load(measured, rate) as load:
            left = minutes * MINUTE_SECONDS
            while left > 0:
                seconds = min(left, MINUTE_SECONDS)
                left -= seconds
                yield _minute(measured, load, kills, seconds, rate)
                load.check()


def _minute(measured: Measured, load: Load, kills: Kills, seconds: float, rate: float) -> Minute:
    """The kill is in its middle."""
    began, results = time.monotonic(), load.results
    killed = ""
    samples: list[tuple[float, float, float, float]] = []
    while (elapsed := time.monotonic() - began) < seconds:
        if not killed and elapsed >= seconds / 2:
            killed = kills.one()
        samples.append(_sample(measured))
        time.sleep(SAMPLE_SECONDS)
        load.check()
    elapsed = time.monotonic() - began
    trips = load.take_trips()
    file, master, worker, client = (sum(column) / len(samples) for column in zip(*samples, strict=True))
    return Minute(
        asked=rate,
        results=(load.results - results) / elapsed,
        trips=sorted(trips),
        file_bytes=file,
        master_bytes=master,
        worker_bytes=worker,
        client_bytes=client,
        killed=killed,
    )


def _sample(measured: Measured) -> tuple[float, float, float, float]:
    """Bytes: of the store's file and its log, of the master, of the worker with its children, of this program."""
    worker = measured.worker
    workers = [] if worker is None else [worker, *worker.children(recursive=True)]
    return (
        float(sum(one.stat().st_size for one in measured.state.glob("tq.db*"))),
        _resident([measured.master]),
        _resident(workers),
        _resident([psutil.Process()]),
    )


def _resident(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):  # it was just killed
            total += process.memory_info().rss
    return total


@click.command()
@click.option("--minutes", default=WHOLE_MINUTES, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--share", default=0.5, show_default=True, type=click.FloatRange(0.01, 1), help="Of the peak rate."
)
def main(minutes: float, share: float) -> None:
    """Run for minutes under load and kills, and compare the first five with the last."""
    taken_on, made = machine(), list[Minute]()
    for minute in soak(minutes, share):
        made.append(minute)
        click.echo(f"minute {len(made)}: {minute}", err=True)
    command = f"python -m benchmarks.soak --minutes {minutes:g}" + (
        "" if share == 0.5 else f" --share {share:g}"
    )
    text = report(made, command=command, machine=taken_on)
    if minutes >= WHOLE_MINUTES:
        DOCUMENT.write_text(placed(DOCUMENT.read_text("utf-8"), text, SOAK_BEGIN, SOAK_END), "utf-8")
    click.echo(text, nl=False)
    if len(made) < 2 * COMPARED_MINUTES:
        sys.stderr.write("too short to compare five minutes with five: a look at whether it works\n")


if __name__ == "__main__":
    main()
