"""The master dies at every call of its store while a chord with failures resolves: each end has its effect once."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from typing import Any

import pytest
import tq
from tq.common.domain.id_runs import IdRun

from ..cluster.programs import eventually
from ..history.loading import final
from ..sampling import sampled
from .conftest import ALL, TrialFactory
from .killed_master import run_with_a_kill
from .trial import SECONDS, Trial

MEMBERS, FAILURES = 200, 10  # number 13, 33, …
SUM = sum(number for number in range(MEMBERS) if number % 20 != 13)
STORE_CALLS = 750  # about so many are made; whether it was the last shows itself
FIRST_CALL = 52  # those before are of the start
EVERY = 3  # call when all faults are injected; at three times that scale each one
FLOW_SECONDS = 2 * SECONDS


def chord(trial: Trial) -> None:
    """A map with failures, of which one task needs all, one enough, one too many, and an element each one of it."""
    app, starts = trial.recording_app(), str(trial.home / "joins")

    def join(handles: Any, on_error: Any) -> tq.Handle[Any]:
        return app.named("fault_tasks:join", on_error=on_error).submit(starts, handles)

    with app.flow(str(trial.home / "ends"), on_error="collect") as flow:
        members = app.named("fault_tasks:fail_now_and_then").map(range(MEMBERS))
        flow.finally_(app.named("fault_tasks:note_end"))
        joins = [join(members, on_error) for on_error in ("collect", tq.at_least(MEMBERS - FAILURES))]
        fallen = [join(members, on_error) for on_error in ("fail", tq.at_least(MEMBERS - FAILURES + 1))]
        each = app.named("cluster_tasks:echo").map(members)
    assert flow.wait(FLOW_SECONDS)
    assert [one.result(timeout=SECONDS) for one in joins] == [[SUM, FAILURES]] * 2
    assert all(isinstance(one.exception(timeout=SECONDS), tq.DependencyFailed) for one in fallen)
    results = list(each.results(SECONDS, return_exceptions=True))
    assert [one for one in results if isinstance(one, int)] == [n for n in range(MEMBERS) if n % 20 != 13]
    assert sum(isinstance(one, tq.DependencyFailed) for one in results) == FAILURES
    progress = flow.progress
    assert (progress.total, progress.failed, progress.cancelled) == (2 * MEMBERS + 4, 2 * FAILURES + 2, 0)
    ends = trial.home / "ends"
    eventually(ends.exists, SECONDS)
    for row in app.call(("get_tasks",), "list", {"name": "fault_tasks:note_end"}, 10):
        trial.note("submitting", id=row["id"], once=False)
        tq.Handle[Any](app.session, row["id"]).result(timeout=SECONDS)
    assert ends.read_text() == "failed 1\n"
    assert (trial.home / "joins").read_text() == "joined\n" * 2


def check_counts(trial: Trial) -> None:
    """The flow's counts are those of the rows of its tasks."""
    store = trial.master.data / "tq.db"
    rows = final(store)
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        [(flow, total, succeeded, failed)] = db.execute("SELECT flow, total, succeeded, failed FROM flows")
        runs = db.execute("SELECT id, tasks FROM flow_members WHERE flow = ?", [flow]).fetchall()
        assert db.execute("SELECT count(*) FROM dependents WHERE open > 0 OR ripe").fetchone() == (0,)
    states = Counter(rows[id.hex()].state for first, tasks in runs for id in IdRun(first, tasks).ids())
    assert (states.total(), states[10], states[11]) == (total, succeeded, failed)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("moment", sampled(["before", "after"], ["after"]))
def test_a_master_killed_at_any_call_of_its_store_resolves_a_chord_with_failures_once(
    new_trial: TrialFactory, scale: float, moment: str
) -> None:
    stride = max(1, round(EVERY * ALL / scale if scale >= ALL else STORE_CALLS / 2 / scale))
    for number in itertools.count(FIRST_CALL + stride // 2 + (moment == "after"), stride):
        with new_trial("kill -9 master at a store call of a chord", start=False) as trial:
            was_killed = run_with_a_kill(trial, number, moment, partial(chord, trial))
            report = trial.judge(times=int(was_killed))
            check_counts(trial)
        assert report.extra_starts == 0
        if not was_killed:
            break
