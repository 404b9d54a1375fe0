"""The ``tq`` command against a real master: what people read, what programs read, and how it fails."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import StateNumber
from tq.managers import SyncManager

from .conftest import Cluster, MasterFactory, WorkerFactory
from .programs import Master, clean_environment, eventually, run_program, text_process

FAILED, USAGE, UNREACHABLE, REFUSED, UNKNOWN, TIMED_OUT = 1, 2, 3, 4, 5, 6
UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

Run = Callable[..., subprocess.CompletedProcess[str]]


def runner(master: Master, home: Path, key: str | None = None) -> Run:
    """``run(*arguments)``: the command with this master's address and key in its environment."""
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": key or master.authkey}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return run_program("tq", *arguments, home=home, environment=environment)

    return run


@pytest.fixture
def run(cluster: Cluster, home: Path) -> Run:
    return runner(cluster.master, home)


@pytest.fixture
def app(cluster: Cluster) -> tq.App:
    return cluster.app


@pytest.fixture
def queue() -> str:
    """A queue of the test's own: the master is shared."""
    return f"q-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is taken and never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def well(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that went well wrote; it had nothing to complain of."""
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def parsed(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(well(done))


def refused(done: subprocess.CompletedProcess[str], status: int, words: str) -> None:
    """It failed with that status, one sentence, and no traceback of ours."""
    assert done.returncode == status, done
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# submit and result


def test_submit_prints_the_id_and_result_waits_for_the_value(run: Run) -> None:
    id = well(run("submit", "cluster_tasks:add", "1", "--kw", "b=2")).strip()
    assert re.fullmatch(UUID, id)
    assert well(run("result", id)) == "3\n"
    assert parsed(run("result", id, "--json")) == {"id": id, "result": 3}


def test_submit_as_json_and_with_wait(run: Run) -> None:
    assert re.fullmatch(UUID, parsed(run("submit", "cluster_tasks:add", "1", "2", "--json"))["id"])
    assert parsed(run("submit", "cluster_tasks:add", "1", "2", "--wait", "--json"))["result"] == 3


@pytest.mark.parametrize(
    ("argument", "printed"),
    [
        ("[1, 2.5, null, true]", "[1, 2.5, null, true]\n"),
        ('{"a": {"b": []}}', '{"a": {"b": []}}\n'),
        ('"7"', "7\n"),
        ("a bare word", "a bare word\n"),
        ("ü", "ü\n"),
        ("", "\n"),
    ],
)
def test_arguments_are_json_and_text_is_text(run: Run, argument: str, printed: str) -> None:
    assert well(run("submit", "cluster_tasks:echo", argument, "--wait")) == printed


def test_options_of_submit_reach_the_task(run: Run, queue: str, app: tq.App) -> None:
    options = [
        "--queue",
        queue,
        "--delay",
        60,
        "--priority",
        7,
        "--retries",
        2,
        "--timeout",
        5,
        "--key",
        queue,
    ]
    first = well(run("submit", "cluster_tasks:add", "1", "1", *options)).strip()
    assert well(run("submit", "cluster_tasks:add", "1", "1", *options)).strip() == first
    shown = app.call(["get_tasks"], "show", uuid.UUID(first).bytes)
    assert (shown["queue"], shown["priority"]) == (queue, 7)
    assert app.get(first).state == tq.State.SCHEDULED


def test_a_failed_task_gives_its_traceback_and_status_1(run: Run) -> None:
    id = well(run("submit", "cluster_tasks:fail", "no such thing")).strip()
    for done in (run("result", id), run("submit", "cluster_tasks:fail", "no such thing", "--wait")):
        assert (done.returncode, done.stdout) == (FAILED, "")
        assert "raise LookupError(message)" in done.stderr
        assert done.stderr.endswith("tq: LookupError: no such thing\ntq: see: tq help taskerror\n")


def test_a_result_that_takes_too_long_ends_with_status_6(run: Run, queue: str) -> None:
    id = well(run("submit", "cluster_tasks:add", "1", "1", "--delay", "60", "--queue", queue)).strip()
    refused(run("result", id, "--timeout", "0.1"), TIMED_OUT, r"tq: .*0\.1 s")


@pytest.mark.parametrize("argument", ["[1, 2", '{"a": }', '"open'])
def test_a_broken_json_argument_is_reported_and_nothing_is_submitted(
    run: Run, queue: str, app: tq.App, argument: str
) -> None:
    done = run("submit", "cluster_tasks:echo", argument, "--queue", queue)
    refused(done, USAGE, "is not JSON; quote it for the shell")
    assert [row for row in app.call(["get_queues"], "list") if row["name"] == queue] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit", "nameless"], r"nameless"),
        (["submit", "m:f", "--kw", "x"], r"--kw 'x': write --kw name=JSON"),
        (["submit", "m:f", "--kw", "1x=2"], r"write --kw name=JSON"),
        (["submit", "m:f", "--priority", "1000"], r"priority=1000 is out of range"),
        (["submit", "m:f", "--retries", "-1"], r"retries=-1 is out of range"),
        (["submit", "m:f", "--delay", "nan"], r"delay must be a number"),
        (["submit", "m:f", "--queue", "two words"], r"queue name 'two words' has white space"),
        (["submit"], r"Missing argument"),
        (["submit", "m:f", "--priority", "high"], r"not a valid integer"),
        (["result", "not-an-id"], r"not-an-id"),
        (["show", "not-an-id"], r"not-an-id"),
        (["cancel", "not-an-id"], r"not-an-id"),
        (["cancel"], r"which tasks\?"),
        (["ls", "--state", "asleep"], r"unknown state 'asleep'; one of: ready"),
        (["ls", "--since", "yesterday"], r"--since 'yesterday': write 30s, 10min, 2h or 7d"),
        (["ls", "--limit", "0"], r"limit must be a whole number from 1"),
        (["drain", "zz"], r"no worker matches 'zz'; `tq workers` lists them"),
        (["drain", ""], r"no worker matches ''"),
        (["keys", "add", "--role", "king"], r"'king' is not one of"),
        (["keys", "revoke", "000000000000"], r"000000000000"),
        (["no-such-command"], r"there is no command 'no-such-command'"),
    ],
)
def test_wrong_input_ends_with_status_2_and_a_sentence(run: Run, arguments: list[str], words: str) -> None:
    refused(run(*arguments), USAGE, words)


@pytest.mark.parametrize("command", ["result", "show"])
def test_an_unknown_id_ends_with_status_5(run: Run, command: str) -> None:
    refused(run(command, UNKNOWN_ID), UNKNOWN, f"no task has the id {UNKNOWN_ID}")


def test_a_module_that_no_worker_serves_is_accepted_and_says_why_it_waits(run: Run, queue: str) -> None:
    submitted = run("submit", "elsewhere:job", "--queue", queue)
    id = submitted.stdout.strip()
    assert (submitted.returncode, submitted.stderr.count("\n")) == (0, 1)
    assert f"does not serve elsewhere:job in queue {queue}; start one with" in submitted.stderr
    mistyped = run("submit", "cluster_tasks:ad", "--queue", queue, 1, 2)
    assert "; did you mean cluster_tasks:add? Else start" in mistyped.stderr
    refused(run("result", id, "--timeout", "0.1"), TIMED_OUT, r"0\.1 s")
    assert re.search(r"worker.*elsewhere:job|elsewhere:job.*worker", well(run("show", id)))


# ls and show


def test_ls_shows_a_table_and_json(run: Run, queue: str, app: tq.App) -> None:
    ids = [app.named("cluster_tasks:add", queue=queue).submit(number, 0).id for number in range(3)]
    for id in ids:
        app.get(id).result(timeout=20)
    head, _, *rows = well(run("ls", "--queue", queue)).splitlines()
    assert head.split() == ["id", "state", "task", "queue", "attempt", "age"]
    assert [row.split()[:5] for row in rows] == [
        [id, "succeeded", "cluster_tasks:add", queue, "1"] for id in reversed(ids)
    ]
    tasks = parsed(run("ls", "--queue", queue, "--json"))
    assert [(task["id"], task["state"], task["queue"]) for task in tasks] == [
        (id, "succeeded", queue) for id in reversed(ids)
    ]
    assert tasks[0]["created"].endswith("+00:00")


def test_ls_filters_and_says_when_there_is_nothing(run: Run, queue: str, app: tq.App) -> None:
    add = app.named("cluster_tasks:add", queue=queue)
    add.submit(1, 1).result(timeout=20)
    later = add.using(delay=60).submit(1, 1).id
    assert [task["id"] for task in parsed(run("ls", "--queue", queue, "--state", "scheduled", "--json"))] == [
        later
    ]
    both = ["ls", "--queue", queue, "--state", "scheduled", "--state", "succeeded", "--since", "1h", "--json"]
    assert len(parsed(run(*both))) == 2
    assert len(parsed(run(*both, "--limit", 1))) == 1
    assert well(run("ls", "--queue", queue, "--name", "other:task")) == "no such tasks\n"
    assert parsed(run("ls", "--queue", queue, "--name", "other:task", "--json")) == []


def test_show_has_everything_about_a_task_that_succeeded(run: Run, queue: str, app: tq.App) -> None:
    handle = app.named("cluster_tasks:add", queue=queue, priority=3).submit(20, b=22)
    handle.result(timeout=20)
    text = well(run("show", handle.id))
    assert f"{handle.id}  succeeded\n" in text
    assert "cluster_tasks:add(20, b=22)" in text
    assert f"queue {queue}, priority 3" in text
    assert "result: 42" in text
    shown = parsed(run("show", handle.id, "--json"))
    assert (shown["state"], shown["result"], shown["failure"]) == ("succeeded", 42, None)
    assert shown["arguments"] == [[20], {"b": 22}]
    [attempt] = shown["attempts"]
    assert (attempt["attempt"], attempt["outcome"]) == (1, "success")


def test_show_has_every_attempt_of_a_task_that_failed(run: Run, app: tq.App, queue: str) -> None:
    handle = app.named("cluster_tasks:fail", queue=queue, retries=1, backoff=0.01).submit("no such thing")
    assert handle.exception(timeout=20) is not None
    text = well(run("show", handle.id))
    assert f"{handle.id}  failed\n" in text
    assert text.count("LookupError: no such thing") >= 2
    assert "raise LookupError(message)" in text
    shown = parsed(run("show", handle.id, "--json"))
    assert (shown["state"], shown["result"]) == ("failed", None)
    assert (shown["failure"]["type"], shown["failure"]["message"]) == ("LookupError", "no such thing")
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["error", "error"]
    assert shown["attempts"][0]["body"]["message"] == "no such thing"


def test_show_and_why_handle_values_that_cannot_be_read_or_written_out(
    run: Run, app: tq.App, queue: str
) -> None:
    """A result of a number of 5,000 digits, and the report of a worker that is not tq's: neither ends with a traceback."""
    large = app.named("cluster_tasks:echo", queue=queue).submit(10**5_000)
    assert large.result(timeout=20) == 10**5_000
    text = well(run("show", large.id))
    assert "result: <a int that cannot be written out" in text
    assert "cluster_tasks:echo(<a int that cannot be written out" in text
    assert parsed(run("show", large.id, "--json"))["result"] == hex(10**5_000)
    by_hand = (
        b"\x92\x91" + msgpack.packb(msgpack.ExtType(7, msgpack.packb([1, 2, 3, 4, 0, "Europe"]))) + b"\x80"
    )
    id = new_ids()
    app.call(("get_task_queue", queue), "submit", "cluster_tasks:echo", {"retries": 0}, [[id, by_hand]])
    eventually(lambda: app.call(("get_tasks",), "states", [id])[0][1] == StateNumber.FAILED)
    text = well(run("show", show_id(id)))
    assert "cluster_tasks:echo(<the time zone Europe is not known here>)" in text
    assert "DecodeError: the time zone Europe is not known here" in text
    assert well(run("why", show_id(id)))


# cancel and retry


def test_why_explains_one_that_waits_and_what_would_change_that(run: Run, queue: str) -> None:
    nobodys = run("submit", "nowhere:nothing", "--queue", queue).stdout.strip()
    assert re.fullmatch(
        r"(none of the \d+ connected workers serves|the only connected worker does not serve) nowhere:nothing .*; start one with .*\n",
        well(run("why", nobodys)),
    )
    later = well(run("submit", "cluster_tasks:add", 1, 2, "--queue", queue, "--delay", 600)).strip()
    answer = parsed(run("why", later, "--json"))
    assert (answer["id"], answer["state"]) == (later, "scheduled")
    assert "more, as its submit requested" in answer["why"]


@pytest.mark.parametrize(
    ("task", "status", "words"),
    [
        (("cluster_tasks:add", 1, 2), 0, r"it succeeded .* ago on .*, at attempt 1"),
        (
            ("cluster_tasks:fail", "too bad"),
            1,
            r"it failed .* ago, at attempt 1: .*too bad; `tq show .* `tq retry",
        ),
    ],
)
def test_why_explains_one_that_has_ended(run: Run, task: tuple[Any, ...], status: int, words: str) -> None:
    id = well(run("submit", *task)).strip()
    assert run("result", id).returncode == status
    assert re.match(words, well(run("why", id)))


def test_why_shows_how_to_run_a_cancelled_one_again(run: Run, queue: str) -> None:
    id = run("submit", "nowhere:nothing", "--queue", queue).stdout.strip()
    well(run("cancel", id))
    assert re.match(rf"it was cancelled .* ago; `tq retry {id}` makes it ready again", well(run("why", id)))


def test_cancel_and_retry_say_what_became_of_each_task(run: Run, queue: str, app: tq.App) -> None:
    add = app.named("cluster_tasks:add", queue=queue, delay=60)
    first, second = add.submit(1, 1).id, add.submit(2, 2).id
    assert well(run("cancel", first)) == f"{first}  cancelled\n"
    assert parsed(run("cancel", first, second, "--json")) == {first: "cancelled", second: "cancelled"}
    assert well(run("retry", first)) == f"{first}  ready\n"
    assert app.get(first).result(timeout=20) == 2
    assert parsed(run("retry", second, "--json")) == {second: "ready"}
    assert app.get(second).result(timeout=20) == 4


def test_cancel_of_a_running_task_says_that_its_worker_was_notified(
    run: Run, app: tq.App, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    handle = app.submit("cluster_tasks:tidy", str(started), str(tmp_path / "tidied"))
    eventually(started.exists)
    assert "running; its worker was notified to end it" in well(run("cancel", handle.id))
    assert isinstance(handle.exception(timeout=20), tq.TaskCancelled)


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_an_unknown_id_among_known_ones_ends_with_status_5_and_does_the_rest(
    run: Run, queue: str, app: tq.App, command: str
) -> None:
    known = app.named("cluster_tasks:add", queue=queue, delay=60).submit(1, 1).id
    done = run(command, UNKNOWN_ID, known)
    assert done.returncode == UNKNOWN
    assert f"{UNKNOWN_ID}  no such task" in done.stdout
    state = "cancelled" if command == "cancel" else "scheduled"
    assert f"{known}  {state}" in done.stdout
    done = run(command, UNKNOWN_ID, known, "--json")
    assert done.returncode == UNKNOWN
    assert json.loads(done.stdout) == {UNKNOWN_ID: "unknown", known: state}


# queues, pause, resume


def test_a_queue_is_paused_listed_and_resumed(run: Run, queue: str, app: tq.App) -> None:
    done = run("pause", queue, "--reason", "the disk is full")
    assert (done.returncode, done.stdout) == (0, f"{queue} is paused\n")
    assert f"there has been nothing in {queue} yet" in done.stderr
    handle = app.named("cluster_tasks:add", queue=queue).submit(1, 1)
    line = next(line for line in well(run("queues")).splitlines() if line.startswith(queue))
    assert line.split()[1:6] == ["1", "0", "0", "0", "0"]
    assert re.search(rf"^{queue} is paused for .*: the disk is full$", well(run("queues")), re.MULTILINE)
    assert "the disk is full" in well(run("show", handle.id))
    [row] = [row for row in parsed(run("queues", "--json")) if row["name"] == queue]
    assert (row["ready"], row["paused"], row["reason"]) == (1, True, "the disk is full")
    assert well(run("resume", queue)) == f"{queue} is resumed\n"
    assert well(run("resume", queue)) == f"{queue} was not paused\n"
    assert handle.result(timeout=20) == 2
    assert parsed(run("pause", queue, "--json")) == {
        "queue": queue,
        "paused": True,
        "until": None,
        "running": 0,
        "assigned": 0,
    }
    assert parsed(run("resume", queue, "--json")) == {"queue": queue, "paused": False}


# workers and drain


def test_workers_are_listed_and_one_is_drained(
    master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    run = runner(master, home)
    assert "no workers; start one with tq-worker" in well(run("workers"))
    worker = worker_factory(options=("--label", "rack=7"))
    head, _, row = well(run("workers")).splitlines()
    columns = ["node", "host", "state", "busy", "rate", "memory", "version", "seen", "labels"]
    assert head.split() == columns
    assert re.search(r" here +0/2 .* rack=7$", row)
    assert "  cluster_tasks:add(a: int, b: int)\n" in well(run("workers", "--tasks"))
    assert "tq:probe" not in well(run("workers", "--tasks"))
    [shown] = parsed(run("workers", "--json"))
    assert (shown["pid"], shown["slots"], shown["connected"]) == (worker.pid, 2, True)
    assert shown["labels"] == {"rack": "7"}
    node = row.split()[0]
    assert shown["node"].startswith(node)
    assert well(run("drain", node)) == f"{shown['host']} ({node}) is draining\n"
    assert worker.wait() == 0
    refused(run("drain", node), USAGE, "is not connected; there is nothing to drain")


def test_a_drain_reports_to_programs_as_well(
    master: Master, worker_factory: WorkerFactory, home: Path
) -> None:
    worker = worker_factory(slots=1)
    run = runner(master, home)
    [shown] = parsed(run("workers", "--json"))
    answer = parsed(run("drain", shown["host"], "--wait", "--json"))
    assert answer == {"node": shown["node"], "host": shown["host"], "draining": False, "gone": True}
    assert worker.wait() == 0


# keys and who may do what


def test_keys_are_made_listed_and_revoked(master_factory: MasterFactory, home: Path) -> None:
    master = master_factory(authkey=None)
    run = runner(master, home, master.key("admin"))
    token = well(run("keys", "add", "--role", "viewer", "--queue", "img.*", "--note", "for Anne")).strip()
    assert token.startswith("tq1.")
    head, _, *rows = well(run("keys", "list")).splitlines()
    assert head.split() == ["key", "role", "state", "queues", "age", "used", "note"]
    [row] = [row for row in rows if "for Anne" in row]
    assert re.search(r" viewer .* img\.\* .* never +for Anne", row)
    [listed] = [one for one in parsed(run("keys", "list", "--json")) if one["note"] == "for Anne"]
    assert (listed["role"], listed["queues"], listed["last_used"]) == ("viewer", ["img.*"], None)
    assert token not in str(listed)
    theirs = runner(master, home, token)
    well(theirs("queues"))
    assert well(run("keys", "revoke", listed["id"])) == f"{listed['id']} is revoked\n"
    refused(theirs("queues"), REFUSED, "tq: ")
    made = parsed(run("keys", "add", "--role", "worker", "--json"))
    assert (made["role"], made["queues"]) == ("worker", [])
    [new] = [one for one in parsed(run("keys", "list", "--json")) if one["id"] in made["token"]]
    assert parsed(run("keys", "revoke", new["id"], "--json")) == {"key": new["id"], "state": "revoked"}


def test_a_key_whose_role_is_not_enough_ends_with_status_4(master_factory: MasterFactory, home: Path) -> None:
    master = master_factory(authkey=None)
    client = runner(master, home, master.key("client"))
    for arguments in (["pause", "img"], ["keys", "list"], ["drain", "a"], ["keys", "add", "--role", "admin"]):
        refused(client(*arguments), REFUSED, "tq: ")
    admin = runner(master, home, master.key("admin"))
    narrow = runner(master, home, well(admin("keys", "add", "--role", "client", "--queue", "img")).strip())
    refused(narrow("submit", "m:f", "--queue", "mail"), REFUSED, "may use the queues img, not 'mail'")
    assert narrow("submit", "m:f", "--queue", "img").returncode == 0


# how to reach a master


def test_a_wrong_key_ends_with_status_4(cluster: Cluster, home: Path) -> None:
    refused(runner(cluster.master, home, "a wrong key")("queues"), REFUSED, "tq: ")


def test_no_master_ends_with_status_3(cluster: Cluster, home: Path, unused_port: int) -> None:
    run = runner(cluster.master, home)
    refused(run("queues", "--url", f"tq://127.0.0.1:{unused_port}"), UNREACHABLE, f"127.0.0.1:{unused_port}")


def test_the_key_may_stand_in_a_file(cluster: Cluster, home: Path) -> None:
    (home / "key").write_text(cluster.master.authkey + "\n")
    (home / "key").chmod(0o600)
    arguments = ["queues", "--json", "--url", cluster.master.url, "--authkey-file", home / "key"]
    assert isinstance(parsed(run_program("tq", *arguments, home=home)), list)
    refused(run_program("tq", *arguments[:-1], home / "none", home=home), USAGE, "none")
    refused(run_program("tq", "queues", "--url", cluster.master.url, home=home), USAGE, "TQ_AUTHKEY")
    refused(run_program("tq", "queues", "--url", "nonsense://x", home=home), USAGE, "tq: ")


@pytest.mark.parametrize("command", [[], ["submit"], ["map"], ["keys"], ["keys", "add"], ["demo"]])
def test_help_needs_no_master_and_gives_an_example(home: Path, command: list[str]) -> None:
    text = well(run_program("tq", *command, "--help", home=home))
    assert "Example: tq " in text


def test_the_help_of_tq_leads_to_the_exit_statuses(home: Path) -> None:
    assert "Exit statuses: tq help exit-statuses." in well(run_program("tq", "--help", home=home))
    text = well(run_program("tq", "help", "exit-statuses", home=home))
    assert re.findall(r"^ (\d)  ", text, re.MULTILINE) == list("0123456")


# what managers keep


HOLDER = """
import sys, tq
from tq.client.locks.locks import Lock, LockLost
from tq.client.items.queue import ItemQueue

app = tq.App()
lock = Lock(app.session, sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
print(lock.held)
try:
    lock.release()
except LockLost:
    print("lost")
print(ItemQueue(app.session, sys.argv[1]).get(timeout=30))
"""


def test_a_stuck_lock_is_seen_and_broken_and_deleted(
    cluster: Cluster, home: Path, run: Run, queue: str
) -> None:
    (home / "holder.py").write_text(HOLDER, "utf-8")
    environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
    with text_process(
        [sys.executable, "holder.py", queue],
        cwd=home,
        env={**clean_environment(home), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        row = next(one for one in json.loads(run("locks", "--json").stdout) if one["name"] == queue)
        assert (row["kind"], row["holders"][0]["token"], row["holders"][0]["address"]) == (
            "lock",
            1,
            "127.0.0.1",
        )
        assert re.search(rf"{queue} +lock +held +127\.0\.0\.1 \([0-9a-f]{{8}}\)", run("locks").stdout)
        refused = run("locks", "delete", queue)
        assert (refused.returncode, f"`tq locks break {queue}` frees it" in refused.stderr) == (USAGE, True)
        assert run("locks", "break", queue).stdout == f"{queue} was taken from token 1\n"
        assert run("locks", "delete", queue).stdout == f"lock {queue} is deleted\n"
        assert run("pause", queue).returncode == 0
        ItemQueue(cluster.app.session, queue).put("item")
        assert re.search(rf"{queue} +fifo +1 ", run("queues").stdout)
        holder.stdin.write("\n")  # type: ignore[union-attr]
        holder.stdin.flush()  # type: ignore[union-attr]
        eventually(lambda: "1 to get" in run("queues").stdout)
        assert run("resume", queue).stdout == f"{queue} is resumed\n"
        assert holder.stdout.read().splitlines() == ["False", "lost", "item"]
    deleted = run("queues", "delete", queue, "--json")
    assert json.loads(deleted.stdout) == {"queue": queue, "deleted": True, "items": 0}


def test_a_named_value_is_listed_printed_and_deleted(cluster: Cluster, run: Run, queue: str) -> None:
    host, _, port = cluster.master.address.rpartition(":")
    manager: Any = SyncManager((host, int(port)), cluster.master.authkey)
    manager.connect()
    named = manager.dict({"a": (1, b"x"), "b": None}, name=queue)
    named["me"] = named
    assert re.search(rf"{queue} +dict +\d+\n", run("data").stdout)
    assert [row["type"] for row in json.loads(run("data", "--json").stdout) if row["name"] == queue] == [
        "dict"
    ]
    assert json.loads(run("data", "show", queue).stdout) == {
        "a": [1, "78"],
        "b": None,
        "me": f"<dict '{queue}' of a manager>",
    }
    assert run("data", "delete", queue).stdout == f"dict {queue} is deleted\n"
    gone = run("data", "show", queue, "--json")
    assert (
        gone.returncode,
        f"no dict, list or other value '{queue}'; `tq data` lists them" in gone.stderr,
    ) == (USAGE, True)
    manager.app.close()


def test_a_wait_for_what_no_worker_runs_warns(run: Run, queue: str) -> None:
    id = run("submit", "nowhere:f", "--queue", queue).stdout.strip()
    waited = run("result", id, "--timeout", 3)
    assert waited.returncode == TIMED_OUT
    first, second, _ = waited.stderr.splitlines()
    assert f" nowhere:f in queue {queue}; start one with" in first
    assert first.endswith(f"; `tq why {id}` shows the current reason")
    assert second.startswith(f"tq: task {id} has no result after 3 s; it goes on: ")
    assert second.endswith(first.partition(" nowhere:f ")[2].partition("; `tq why")[0])
