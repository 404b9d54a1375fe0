"""``--where`` on a real master: the count, the question, and what is done."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import uuid
from pathlib import Path

import pytest
import tq

from .conftest import Cluster
from .programs import clean_environment, command
from .test_commands import Run, parsed, refused, runner, well

USAGE = 2


@pytest.fixture
def run(cluster: Cluster, home: Path) -> Run:
    return runner(cluster.master, home)


@pytest.fixture
def queue(cluster: Cluster) -> str:
    """A queue with two failed tasks, one that succeeded and three that no worker serves."""
    name = f"q-{uuid.uuid4().hex[:8]}"
    fail = cluster.app.named("cluster_tasks:fail", queue=name)
    ended = [fail.submit("SMTP is away"), fail.submit("no address")]
    ended.append(cluster.app.named("cluster_tasks:add", queue=name).submit(1, 1))
    for handle in ended:
        handle.exception(timeout=20)
    for number in range(3):
        cluster.app.named("nowhere:job", queue=name).submit(number)
    return name


def states(run: Run, queue: str) -> dict[str, int]:
    [row] = [row for row in parsed(run("queues", "--json")) if row["name"] == queue]
    return {state: row[state] for state in map(str, tq.State) if row[state]}


def test_ls_takes_the_same_filter(run: Run, queue: str) -> None:
    found = parsed(run("ls", "--where", f"queue={queue} error~smtp", "--json"))
    assert [task["state"] for task in found] == ["failed"]
    assert len(parsed(run("ls", "--where", "state=failed,ready", "--queue", queue, "--json"))) == 5
    assert len(parsed(run("ls", "--queue", f"{queue[:-1]}*", "--limit", 2, "--json"))) == 2
    assert well(run("ls", "--queue", queue, "--where", "older=1h")) == "no such tasks\n"


def refund(customer: str, amount: int) -> None:
    """A task that no worker serves."""


def test_tasks_of_a_map_are_found_and_cancelled_by_what_each_was_given(run: Run, cluster: Cluster) -> None:
    ann = f"ann-{uuid.uuid4().hex[:8]}"
    task = cluster.app.task(refund, name="nowhere:refund", index=["customer"])
    task.starmap([(ann if number % 4 == 0 else "ben", number) for number in range(40)])
    where = "--where", f"arg.customer={ann}"
    [many] = parsed(run("ls", *where, "--json"))
    assert (many["tasks"], many["states"]) == (40, {"ready": 10})
    well(run("cancel", *where, "--yes"))
    [many] = parsed(run("ls", *where, "--json"))
    assert many["states"] == {"cancelled": 10}
    shown = parsed(run("show", many["first"], "--json"))
    assert (shown["state"], shown["tags"]) == ("cancelled", {"arg.customer": ann})


def test_tasks_are_found_by_their_tags(run: Run, cluster: Cluster) -> None:
    order = uuid.uuid4().hex[:8]
    job = cluster.app.named("nowhere:job", tags={"order": order})
    alone = job.using(tags={"order": order, "shop": "3"}).submit(0)
    job.map(range(20))
    where = "--where", f"tag.order={order}"
    one, many = sorted(parsed(run("ls", *where, "--json")), key=lambda row: row.get("tasks", 1))
    assert (one["id"], one["tags"]) == (alone.id, {"order": order, "shop": "3"})
    assert (many["tasks"], many["tags"]) == (20, {"order": order})
    assert f"tags order={order} shop=3\n" in well(run("show", alone.id))
    assert f"tags order={order}\n" in well(run("show", many["id"]))
    assert f"order={order} shop=3" in well(run("ls", *where))
    third = run("submit", "nowhere:job", "--tag", f"order={order}").stdout.strip()
    assert parsed(run("cancel", *where, "--yes", "--json"))["tasks"] == 22
    assert cluster.app.get(third).state == "cancelled"
    refused(run("submit", "nowhere:job", "--tag", "7=x"), USAGE, "is not a name of a tag")


def test_a_dry_run_counts_and_shows_some(run: Run, queue: str) -> None:
    text = well(run("retry", "--where", f"queue={queue}", "--dry-run"))
    assert text.startswith("would retry 2 tasks (2 failed), the newest of them:\n")
    assert "cluster_tasks:fail" in text
    assert states(run, queue) == {"failed": 2, "succeeded": 1, "ready": 3}


def test_without_a_terminal_nothing_is_done_and_the_line_to_write_is_shown(run: Run, queue: str) -> None:
    done = run("cancel", "--where", f"queue={queue} name~job")
    refused(
        done, USAGE, rf"would cancel 3 tasks \(3 ready\); .* tq cancel --where 'queue={queue} name~job' --yes"
    )
    assert states(run, queue)["ready"] == 3


def test_cancel_retry_and_purge_do_what_was_counted(run: Run, queue: str, cluster: Cluster) -> None:
    assert "3 tasks are cancelled" in well(run("cancel", "--queue", queue, "--yes"))
    assert parsed(run("retry", "--queue", queue, "--where", "error~address", "--yes", "--json")) == {
        "tasks": 1,
        "matched": 1,
        "stopped": False,
    }
    cluster.app.named("nowhere:job", queue=queue).submit(9)
    assert well(run("purge", queue, "--yes")) == "1 task is deleted\n", "what waits, as in other queues"
    assert "are deleted" in well(run("purge", queue, "--finished", "--yes"))
    assert set(states(run, queue)) <= {"ready", "running", "failed"}, "the one that was retried"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["purge"], r"purge what\? name a queue"),
        (["retry"], r"which tasks\? tq retry ID…, or tq retry --where"),
        (["cancel", str(uuid.uuid4()), "--where", "queue=q"], "ids or a filter, not both"),
        (["retry", "--where", "stat=failed"], "did you mean state"),
        (["retry", "--where", "state=ready"], "ready tasks cannot be retried"),
        (["purge", "q", "--state", "running"], "running tasks cannot be purged"),
        (["purge", "q", "--finished", "--state", "ready"], "ready tasks cannot be purged"),
    ],
)
def test_what_cannot_be_meant_is_reported(run: Run, arguments: list[str], words: str) -> None:
    refused(run(*arguments), USAGE, words)


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 3)])
def test_on_a_terminal_it_asks_first(
    run: Run, queue: str, cluster: Cluster, home: Path, answer: bytes, left: int
) -> None:
    keyboard, terminal = pty.openpty()
    environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    process = subprocess.Popen(
        [*command("tq"), "purge", queue],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=clean_environment(home, environment),
        cwd=home,
        start_new_session=True,
    )
    os.close(terminal)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(keyboard, 4_096)
    assert re.search(rb"delete for good 3 tasks \(3 ready\)\?", seen)
    os.write(keyboard, answer)
    assert process.wait(20) == (0 if left == 0 else 1)
    os.close(keyboard)
    assert states(run, queue).get("ready", 0) == left
