"""Whatever a task does to its process costs one attempt; the neighbours and the slot go on."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, NamedTuple

import tq
from tq.common.domain.model import Outcome

from .conftest import TrialFactory
from .trial import SECONDS

NEIGHBOURS = 40
SLOT_BACK_SECONDS = 5.0  # a Python has to start; on an idle machine it is under one


class Way(NamedTuple):
    """What a task does to its process, and how its first attempt ends."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    outcome: Outcome
    words: str


WAYS = [
    Way("die_of_once", (signal.SIGKILL,), {}, Outcome.CRASH, "SIGKILL"),
    Way("die_of_once", (signal.SIGSEGV,), {}, Outcome.CRASH, "SIGSEGV"),
    Way("abort_once", (), {}, Outcome.CRASH, "SIGABRT"),
    Way("leave_once", (7,), {}, Outcome.CRASH, "status 7"),
    Way("exit_once", (7,), {"retries": 1, "backoff": 0.01}, Outcome.ERROR, "SystemExit: 7"),
    Way("close_everything_once", (), {}, Outcome.CRASH, "status"),
    Way("orphan_once", (), {}, Outcome.CRASH, "SIGKILL"),
    Way("out_of_memory_once", (), {"retries": 1, "backoff": 0.01}, Outcome.ERROR, "MemoryError"),
    Way("loop_in_c_once", (), {"retries": 1, "backoff": 0.01, "timeout": 0.3}, Outcome.TIMEOUT, "killed"),
]


def test_a_task_that_harms_its_process_costs_one_attempt_and_no_neighbour(
    new_trial: TrialFactory,
) -> None:
    with new_trial("child: signals, exits, descriptors, memory, C loop") as trial:
        trial.worker(slots=1)
        witness = trial.witness()
        beside = trial.witness()
        orphan = trial.home / "orphan_once"
        tasks: list[tuple[Way, bytes, bytes]] = []
        for place, way in enumerate(WAYS):
            path = orphan if way.name == "orphan_once" else trial.home / f"{way.name} {place}"
            [bad] = witness.submit(f"fault_tasks:{way.name}", [(str(path), *way.arguments)], **way.options)
            [next] = witness.submit("cluster_tasks:add", [(place, place)])
            tasks.append((way, bad, next))
        neighbours = beside.submit("cluster_tasks:add", [(number, 1) for number in range(NEIGHBOURS)])
        try:
            given = witness.hear([id for _, *ids in tasks for id in ids], SECONDS)
            beside.hear(neighbours, SECONDS)
        finally:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int(orphan.read_text()), signal.SIGKILL)
        for place, (way, bad, next) in enumerate(tasks):
            assert (given[bad], given[next]) == ("alive", place * 2), way
            attempts = tq.Handle[Any](witness.app.session, bad).attempts
            first, second = [one for one in attempts if one.outcome != Outcome.RELEASED]
            assert (first.outcome, second.outcome) == (way.outcome, Outcome.SUCCESS), way
            assert way.words in first.error, (way, first.error)
        everything = trial.events()
        for way, bad, _ in tasks:
            if way.outcome == Outcome.CRASH:
                [began, *_] = [
                    event["t"]
                    for event in everything
                    if event["what"] == "started" and event["id"] == bad.hex()
                ]
                after = min(
                    event["t"] for event in everything if event["what"] == "started" and event["t"] > began
                )
                assert after - began < SLOT_BACK_SECONDS, way
                trial.recovery = max(trial.recovery or 0.0, after - began)
        trial.judge(times=len(WAYS), wanted_starts=len(WAYS))
