"""What `tq ls` says about many tasks: their errors, how many there are, what they have in common."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import tq

from .conftest import Cluster
from .programs import run_program

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def queue(cluster: Cluster) -> str:
    """A queue with five tasks that fail in two ways, and one that does not."""
    name = f"ls-{uuid.uuid4().hex[:8]}"
    fail = cluster.app.named("cluster_tasks:fail", queue=name)
    handles = [fail.submit(f"too late\nline {number}") for number in range(3)]
    handles += [fail.submit("no such file") for _ in range(2)]
    handles.append(cluster.app.named("cluster_tasks:add", queue=name).submit(1, 2))
    assert len(tq.wait(handles, 30).done) == 6
    return name


@pytest.fixture
def ls(cluster: Cluster, home: Path, queue: str) -> Run:
    key = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    return lambda *words: run_program("tq", "ls", "--queue", queue, *words, home=home, environment=key)


def test_the_list_has_the_first_line_of_each_error(ls: Run) -> None:
    lines = ls().stdout.splitlines()
    assert lines[0].split()[-1] == "error"
    assert [line.count("LookupError: too late") for line in lines if "fail" in line] == [0, 0, 1, 1, 1]
    rows = json.loads(ls("--json").stdout)
    assert [row["error"] for row in rows] == [
        None,
        *["LookupError: no such file"] * 2,
        *["LookupError: too late"] * 3,
    ]


def test_a_list_of_what_went_well_has_no_column_of_errors(ls: Run) -> None:
    assert ls("--state", "succeeded").stdout.splitlines()[0].split()[-1] == "age"


def test_a_count_is_by_state(ls: Run) -> None:
    assert ls("--count").stdout == "6 tasks (1 succeeded, 5 failed)\n"
    assert json.loads(ls("--count", "--json").stdout) == {"tasks": 6, "states": {"succeeded": 1, "failed": 5}}


def test_errors_are_summed_up_the_most_frequent_first(ls: Run) -> None:
    rows = json.loads(ls("--group", "error", "--json").stdout)
    assert rows == [
        {"error": "LookupError: too late", "tasks": 3},
        {"error": "LookupError: no such file", "tasks": 2},
    ]
    few = ls("--group", "error", "--limit", 1)
    assert "too late" in few.stdout
    assert few.stderr == "1 of 2 groups; --limit 2 shows all\n"
    assert [row["tasks"] for row in json.loads(ls("--group", "name", "--json").stdout)] == [5, 1]
