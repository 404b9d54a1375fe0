"""Connections cut at every edge of what they carry, half-open, delayed, in crumbs: said again without doing it twice."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import tq

from ..cluster.programs import Worker
from .chaos import ChaosProxy, Direction, Harm
from .conftest import ALL, TrialFactory
from .trial import PATIENT, SECONDS, Trial
from .witness import Witness

EDGES = 16  # about so many records go each way in the scripts below; whether it was the last shows itself
ARRAY = 120  # tasks of an array: several blocks of jobs
BULK_BYTES = 4 * 1024 * 1024
BULK_SECONDS = 0.01  # for each 16 KiB: the whole takes longer than a silent master is borne with


def places(scale: float) -> Iterator[int]:
    """Behind so many records the harm is done: at all of them, or here and there."""
    return itertools.count(1 if scale >= ALL else 3, 1 if scale >= ALL else max(1, round(EDGES / 2 / scale)))


def client_script(witness: Witness) -> None:
    """One array is under way all the while, and ends with the rest."""
    array = witness.submit("cluster_tasks:echo", [(number,) for number in range(ARRAY)])
    tasks = witness.submit("cluster_tasks:echo", [("a",), ("b",)])
    never = witness.submit("cluster_tasks:echo", [("c",)], delay=3600)
    assert list(witness.hear(tasks, SECONDS).values()) in (["a", "b"], ["b", "a"])
    witness.read(tasks)
    assert witness.cancel(never) == [tq.State.CANCELLED]
    more = witness.submit("cluster_tasks:echo", [("x" * 40_000,)])
    assert len(witness.hear(more, SECONDS)[more[0]]) == 40_000
    given = witness.hear(array, SECONDS)
    assert [given[id] for id in array] == list(range(ARRAY))


@contextmanager
def worker_behind(trial: Trial, proxy: ChaosProxy) -> Iterator[Worker]:
    worker = trial.worker(address=proxy.address)
    yield worker
    worker.terminate()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("harm", [Harm.CUT, Harm.CUT_INSIDE, Harm.HALF_OPEN, Harm.DAMAGED, Harm.LENGTH])
@pytest.mark.parametrize("direction", Direction)
def test_a_clients_connection_may_break_at_any_edge(
    new_trial: TrialFactory, scale: float, harm: Harm, direction: Direction
) -> None:
    if harm != Harm.CUT and scale < ALL:
        pytest.skip(f"a long one: it runs with --faults-scale {ALL:g}")
    with new_trial(f"client's connection {harm}", **PATIENT) as trial:
        trial.worker()
        times = 0
        for place in places(scale):
            with closing(ChaosProxy(trial.master.port, harm, direction, place)) as proxy:
                since = time.monotonic()
                client_script(trial.witness(f"tq://{proxy.address}"))
            if not proxy.struck.is_set():
                break
            times += 1
            trial.recovery = max(trial.recovery or 0.0, time.monotonic() - since)
        report = trial.judge(times=times)
    assert times
    assert report.extra_starts == 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("harm", [Harm.CUT, Harm.CUT_INSIDE, Harm.HALF_OPEN, Harm.DAMAGED, Harm.LENGTH])
@pytest.mark.parametrize("direction", Direction)
def test_a_workers_connection_may_break_at_any_edge(
    whole_run: None, new_trial: TrialFactory, scale: float, harm: Harm, direction: Direction
) -> None:
    with new_trial(f"worker's connection {harm}", **PATIENT) as trial:
        witness = trial.witness()
        times = 0
        for place in places(scale):
            with (
                closing(ChaosProxy(trial.master.port, harm, direction, place)) as proxy,
                worker_behind(trial, proxy),
            ):
                since = time.monotonic()
                for _ in range(3):
                    witness.hear(witness.submit("cluster_tasks:echo", [(n,) for n in range(ARRAY)]), SECONDS)
            if not proxy.struck.is_set():
                break
            times += 1
            trial.recovery = max(trial.recovery or 0.0, time.monotonic() - since)
        report = trial.judge(times=times)
    assert times > 3
    assert report.extra_starts == 0


@pytest.mark.parametrize("harm", [Harm.DELAY, Harm.SINGLE_BYTES])
@pytest.mark.parametrize("direction", Direction)
def test_what_comes_late_or_in_crumbs_is_understood(
    whole_run: None, new_trial: TrialFactory, harm: Harm, direction: Direction
) -> None:
    seconds = 0.15 if harm == Harm.DELAY else 0.0
    with new_trial(f"connections {harm}") as trial:
        with (
            closing(ChaosProxy(trial.master.port, harm, direction, seconds=seconds)) as client_side,
            closing(ChaosProxy(trial.master.port, harm, direction, seconds=seconds)) as worker_side,
        ):
            with worker_behind(trial, worker_side):
                for _ in range(3):
                    client_script(trial.witness(f"tq://{client_side.address}"))
            assert client_side.accepted == 3  # no client had to connect again
            assert worker_side.accepted == 1
        report = trial.judge(times=2)
    assert report.extra_starts == 0


@pytest.mark.parametrize("direction", Direction)
def test_a_large_message_on_a_slow_line_is_no_silence(
    whole_run: None, new_trial: TrialFactory, direction: Direction
) -> None:
    with new_trial("bulk on a slow line") as trial:
        trial.worker()
        with closing(ChaosProxy(trial.master.port, Harm.SLOW, direction, seconds=BULK_SECONDS)) as proxy:
            witness = trial.witness(f"tq://{proxy.address}")
            [task] = witness.submit("cluster_tasks:echo", [("x" * BULK_BYTES,)])
            assert len(witness.hear([task], SECONDS)[task]) == BULK_BYTES
            assert proxy.accepted == 1  # the client did not have to connect again
        trial.judge(times=1)
