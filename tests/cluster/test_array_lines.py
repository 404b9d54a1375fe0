"""What the commands say of an array, and what they take for its id, on a real cluster."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import tq

from .conftest import Cluster
from .programs import run_program

Run = Callable[..., subprocess.CompletedProcess[str]]
USAGE, UNKNOWN = 2, 5


class Submitted(NamedTuple):
    queue: str
    first: str

    def id(self, place: int) -> str:
        return str(uuid.UUID(int=uuid.UUID(self.first).int + place))


@pytest.fixture(scope="module")
def array(cluster: Cluster) -> Submitted:
    return submitted(cluster, 1_200)


def submitted(cluster: Cluster, tasks: int) -> Submitted:
    """So many tasks, of which those fail whose number ends with 001."""
    queue = f"a-{uuid.uuid4().hex[:8]}"
    handles = cluster.app.named("cluster_tasks:fail_seldom", queue=queue).map(range(tasks))
    assert len(tq.wait(handles, 60).done) == tasks
    return Submitted(queue, handles[0].id)


@pytest.fixture
def run(cluster: Cluster, home: Path) -> Run:
    key = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    return lambda *words: run_program("tq", *words, home=home, environment=key)


def test_ls_has_one_line_and_all_opens_it(run: Run, array: Submitted) -> None:
    assert "1,198 succeeded, 2 failed" in run("ls", "--queue", array.queue).stdout
    [row] = json.loads(run("ls", "--queue", array.queue, "--json").stdout)
    assert (row["first"], row["tasks"]) == (array.first, 1_200)
    assert row["states"] == {"succeeded": 1_198, "failed": 2}
    assert row["error"] == "ValueError: 1001"
    opened = json.loads(run("ls", "--queue", array.queue, "--all", "--limit", 2_000, "--json").stdout)
    assert len(opened) == 1_200
    listed = json.loads(run("ls", row["id"], "--state", "failed", "--json").stdout)
    assert [task["id"] for task in listed] == [array.id(1_001), array.id(1)]


def test_counts_and_groups_are_of_tasks(run: Run, array: Submitted) -> None:
    assert run("ls", "--queue", array.queue, "--count").stdout == "1,200 tasks (1,198 succeeded, 2 failed)\n"
    groups = json.loads(run("ls", array.first[:28], "--group", "state", "--json").stdout)
    assert groups == [{"state": "succeeded", "tasks": 1_198}, {"state": "failed", "tasks": 2}]


def test_show_sums_an_array_up(run: Run, array: Submitted) -> None:
    text = run("show", array.first[:18]).stdout
    assert text.startswith(f"{array.first}+0..1199  1,200 tasks\n")
    assert "] 100% ended\n  1,198 succeeded, 2 failed\n" in text
    assert f"{array.id(1_001)}  failed" in text
    assert "ValueError: 1001" in text
    row = json.loads(run("show", array.first[:18], "--json").stdout)
    assert (row["tasks"], row["states"]) == (1_200, {"succeeded": 1_198, "failed": 2})
    assert [task["error"] for task in row["failed"]] == ["ValueError: 1001", "ValueError: 1"]


def test_every_command_takes_a_place_in_the_array(run: Run, array: Submitted) -> None:
    prefix = array.first[:18]
    assert run("show", f"{prefix}+5").stdout.startswith(f"{array.id(5)}  succeeded\n")
    assert run("show", f"{array.first}+5").stdout.startswith(f"{array.id(5)}  succeeded\n")
    assert run("result", f"{prefix}+5").stdout == "5\n"
    assert run("why", f"{prefix}+1").stdout.startswith("it failed")
    assert run("why", prefix).stdout == "all have ended: 1,198 succeeded, 2 failed\n"
    assert json.loads(run("cancel", f"{prefix}+5", "--json").stdout) == {array.id(5): "succeeded"}
    assert json.loads(run("retry", f"{prefix}+5", "--json").stdout) == {array.id(5): "succeeded"}
    end = f"{prefix}..{array.id(5)[-8:]}"
    assert run("result", end).stdout == "5\n"
    tq_show = run("show", f"{prefix}+5", "--logs")
    assert tq_show.returncode == 0


def test_what_is_for_one_task_takes_no_array(run: Run, array: Submitted) -> None:
    done = run("result", array.first[:18])
    assert done.returncode == USAGE
    assert "is an array of 1,200 tasks" in done.stderr
    assert run("show", array.first[:18], "--logs").returncode == USAGE
    assert run("show", f"{array.first[:18]}+1200").returncode == UNKNOWN


def test_an_array_is_retried_and_cancelled_as_a_whole(run: Run, cluster: Cluster) -> None:
    array = submitted(cluster, 1_200)
    prefix = array.first[:18]
    done = run("retry", prefix)
    assert done.returncode == USAGE
    assert "would retry 2 tasks (2 failed)" in done.stderr
    assert json.loads(run("retry", prefix, "--where", "error=ValueError", "--yes", "--json").stdout) == {
        "tasks": 2,
        "matched": 2,
        "stopped": False,
    }
    handles = cluster.app.named("nowhere:job", queue=array.queue).map(range(1_200))
    assert "would cancel 1,200 tasks (1,200 ready)" in run("cancel", handles[0].id[:18], "--dry-run").stdout
    why = run("why", handles[0].id[:18]).stdout
    assert why.startswith(f"1,200 wait; the last one, {handles[0].id[:18]}+1199: ")
    assert (
        run("cancel", handles[0].id[:18], "--yes").stdout
        == "1,200 tasks are cancelled, or their worker was notified\n"
    )
    assert {handle.state for handle in (handles[0], handles[1_199])} == {"cancelled"}


def test_a_program_finds_tasks_by_short_ids(cluster: Cluster, array: Submitted) -> None:
    assert cluster.app.get(f"{array.first[:18]}+5").result(timeout=10) == 5
    with pytest.raises(tq.InvalidArgument, match="is an array"):
        cluster.app.get(array.first[:18])
