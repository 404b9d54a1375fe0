"""``tq mail`` with a real master, a real worker and a real SMTP server that puts off, refuses and counts."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.shards import shard_of_id
from xprocess import XProcess

from .conftest import AppFactory, Cluster, MasterFactory, WorkerFactory
from .programs import Worker, clean_environment, command, eventually, run_program

SECONDS = 40.0
TEMPLATE = "Subject: Hello $name\nFrom: Bob <bob@tq.example>\n\nDear $name,\n\nthis is {campaign}.\n"


class Post:
    """The SMTP server of the demo: 451 twice to busy.example, 550 to gone.example, all others in the mailbox."""

    def __init__(self, folder: Path) -> None:
        self.mailbox = folder / "mailbox.jsonl"
        self.mailbox.touch()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port: int = one.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        module = "tq.client.cli.demo.smtp_server"
        self._process = subprocess.Popen([sys.executable, "-m", module, str(self.port), str(self.mailbox)])
        eventually(self._accepts, SECONDS)

    def _accepts(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def messages(self, subject: str) -> list[dict[str, str]]:
        found = [json.loads(line) for line in self.mailbox.read_text("utf-8").splitlines()]
        return [one for one in found if one["subject"].endswith(subject)]

    def counts(self, subject: str) -> Counter[str]:
        return Counter(one["to"] for one in self.messages(subject))


@pytest.fixture(scope="module")
def post(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    post = Post(tmp_path_factory.mktemp("post"))
    post.start()
    yield post
    post.stop()


@pytest.fixture(scope="module")
def mailing(
    cluster: Cluster, xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The cluster with a worker that sends mail where its tasks say."""
    master = cluster.master
    home = tmp_path_factory.mktemp("mailing")
    worker = Worker(xprocess, home, master.address, master.authkey, "--slots", 2, "tq.tasks.mail")
    try:
        worker.start()
        yield cluster
    finally:
        worker.end()


class Merge:
    """One campaign, and the command for it."""

    def __init__(self, cluster: Cluster, post: Post, home: Path, name: str) -> None:
        self.home, self.name, self.post = home, name, post
        self.recipients, self.report = home / "recipients.csv", home / "report.csv"
        (home / "letter.txt").write_text(TEMPLATE.format(campaign=name))
        self.environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}

    def to(self, *addresses: str) -> None:
        lines = [f"{address.partition('@')[0]} {self.name},{address}" for address in addresses]
        self.recipients.write_text("\n".join(["name,email", *lines, ""]))

    def arguments(self, *more: object) -> list[str]:
        smtp = f"127.0.0.1:{self.post.port}"
        given = ["--template", "letter.txt", "--smtp", smtp, "--backoff", 0.1, *more, self.recipients]
        return ["mail", *map(str, given)]

    def run(self, *more: object) -> subprocess.CompletedProcess[str]:
        return run_program("tq", *self.arguments(*more), home=self.home, environment=self.environment)

    def start(self, *more: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command("tq"), *self.arguments(*more)],
            env=clean_environment(self.home, self.environment),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reported(self) -> dict[str, dict[str, str]]:
        with self.report.open(encoding="utf-8", newline="") as file:
            return {row["email"]: row for row in csv.DictReader(file)}

    @property
    def delivered(self) -> Counter[str]:
        return self.post.counts(self.name)


@pytest.fixture
def merge(mailing: Cluster, post: Post, home: Path, request: pytest.FixtureRequest) -> Merge:
    return Merge(mailing, post, home, f"c{os.urandom(4).hex()}")


def parsed(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_each_message_is_taken_put_off_or_refused_and_reported(merge: Merge) -> None:
    merge.to("anne@tq.example", "carl@busy.example", "dora@gone.example")
    done = merge.run("--yes", "--report", merge.report)
    assert done.returncode == 1, done
    assert merge.delivered == {"anne@tq.example": 1, "carl@busy.example": 1}
    rows = merge.reported()
    assert {email: row["state"] for email, row in rows.items()} == {
        "anne@tq.example": "sent",
        "carl@busy.example": "sent",
        "dora@gone.example": "bounced",
    }
    assert (rows["carl@busy.example"]["smtp_code"], rows["carl@busy.example"]["attempts"]) == ("250", "3")
    assert rows["dora@gone.example"]["smtp_code"] == "550"
    assert rows["dora@gone.example"]["smtp_text"] == "5.1.1 no such user dora@gone.example"
    sent = {one["to"]: one["message_id"] for one in merge.post.messages(merge.name)}
    assert {email: rows[email]["message_id"] for email in sent} == sent
    assert "dora@gone.example" in done.stdout


@pytest.mark.thorough
def test_a_campaign_in_a_queue_in_every_shard_reaches_each_address_once_and_says_so_when_it_is_run_again(
    master_factory: MasterFactory,
    worker_factory: WorkerFactory,
    app_factory: AppFactory,
    post: Post,
    home: Path,
) -> None:
    master = master_factory("--shards", 4)
    app = app_factory(master.url, master.authkey)
    worker_factory(2, tasks=Path("tq.tasks.mail"), address=master.address, authkey=master.authkey)
    merge = Merge(Cluster(master, app), post, home, f"c{os.urandom(4).hex()}")
    addresses = [f"n{number}@tq.example" for number in range(30)]
    (home / "plan.txt").write_text("the plan")
    merge.to(*addresses)
    how = ("--queue", "{spread}mail", "--attach", "plan.txt", "--yes", "--json")
    assert parsed(merge.run(*how))["sent"] == len(addresses)
    merge.to(*addresses, "new@tq.example")
    again = merge.run(*how)
    assert parsed(again)["sent"] == len(addresses) + 1
    assert f"{len(addresses)} of {len(addresses) + 1} were handed over before" in again.stderr
    assert merge.delivered == Counter([*addresses, "new@tq.example"])
    rows = app.call(("get_tasks",), "list", {"queue": "{spread}mail"}, 100)
    assert {shard_of_id(row["id"]) for row in rows} == set(range(4))


def test_the_same_command_again_sends_nothing_to_any_address(merge: Merge) -> None:
    merge.to("anne@tq.example", "dora@gone.example")
    first = parsed(merge.run("--yes", "--json"))
    merge.to("ANNE@tq.example", "dora@gone.example", "new@tq.example")
    again = merge.run("--yes", "--json", "--retry-failed")
    assert (first["sent"], first["bounced"]) == (1, 1)
    assert (parsed(again)["sent"], parsed(again)["bounced"]) == (2, 1)
    assert "2 of 3 were handed over before" in again.stderr
    assert merge.delivered == {"anne@tq.example": 1, "new@tq.example": 1}


def test_a_command_that_was_killed_is_run_again_and_every_recipient_has_one_message(merge: Merge) -> None:
    addresses = [f"n{number}@{'ab'[number % 2]}.example" for number in range(120)]
    merge.to(*addresses)
    process = merge.start("--yes", "--report", merge.report, "--per-domain", 5)
    eventually(lambda: len(merge.delivered) >= 20, SECONDS)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert len(merge.delivered) < len(addresses)
    done = merge.run("--yes", "--resume", merge.report)
    assert done.returncode == 0, done
    assert merge.delivered == dict.fromkeys(addresses, 1)
    assert set(merge.reported()) == set(addresses)
    assert "nothing is left to do" in merge.run("--yes", "--resume", merge.report).stdout


def test_a_command_that_is_interrupted_stops_sending_and_goes_on_when_run_again(merge: Merge) -> None:
    addresses = [f"n{number}@{'abcd'[number % 4]}.example" for number in range(160)]
    merge.to(*addresses)
    process = merge.start("--yes", "--json")
    eventually(lambda: len(merge.delivered) >= 10, SECONDS)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, (stdout, stderr)
    counts = json.loads(stdout)
    assert counts["sent"] == sum(merge.delivered.values()) < len(addresses)
    assert counts["sent"] + counts["cancelled"] + counts["not_begun"] == len(addresses)
    assert counts["cancelled"]
    assert "the same command again" in stderr
    done = merge.run("--yes")
    assert done.returncode == 0, done
    assert merge.delivered == dict.fromkeys(addresses, 1)


def test_without_a_server_messages_are_deferred_and_tried_again_when_asked(
    merge: Merge, tmp_path: Path
) -> None:
    merge.post = Post(tmp_path)
    merge.to("anne@tq.example")
    done = merge.run("--yes", "--retries", 1, "--report", merge.report)
    assert done.returncode == 1, done
    assert merge.reported()["anne@tq.example"]["state"] == "deferred"
    assert "--retry-failed tries the 1 deferred or failed again" in done.stderr
    merge.post.start()
    try:
        done = merge.run("--yes", "--retries", 1, "--resume", merge.report, "--retry-failed")
        assert done.returncode == 0, done
        assert merge.delivered == {"anne@tq.example": 1}
        assert merge.reported()["anne@tq.example"]["state"] == "sent"
    finally:
        merge.post.stop()


def test_a_large_attachment_travels_once_and_arrives(merge: Merge, mailing: Cluster) -> None:
    (merge.home / "large.bin").write_bytes(os.urandom(300_000))
    merge.to("anne@tq.example", "bob@tq.example", "carl@busy.example")
    done = merge.run("--yes", "--json", "--attach", "large.bin")
    assert parsed(done)["sent"] == 3, done
    assert merge.delivered == {"anne@tq.example": 1, "bob@tq.example": 1, "carl@busy.example": 1}
    assert all(int(one["bytes"]) > 400_000 for one in merge.post.messages(merge.name))
    [row] = mailing.app.call(("get_tasks",), "list", {"name": "tq.tasks.mail:send"}, 1)
    task = mailing.app.call(("get_tasks",), "show", row["id"])
    assert len(task["payload"]) < 10_000


def test_nothing_is_sent_while_there_are_problems(merge: Merge) -> None:
    merge.to("anne@tq.example", "bob", "anne@tq.example")
    done = merge.run("--yes")
    assert done.returncode == 2
    assert "line 3: 'bob' is not an address" in done.stderr
    assert "line 4: anne@tq.example has a message by line 2 already" in done.stderr
    assert "2 problems, so nothing is sent" in done.stderr
    assert "1 message would go" in done.stderr
    assert not merge.delivered
    assert merge.run("--yes", "--skip-bad").returncode == 0
    assert merge.delivered == {"anne@tq.example": 1}


def test_a_dry_run_needs_no_master_and_writes_messages_to_look_at(merge: Merge) -> None:
    merge.to("anne@tq.example", "bob@b.example")
    merge.environment.clear()
    done = merge.run("--dry-run", "--out", merge.home / "eml")
    assert done.returncode == 0, done
    assert "2 messages to 2 domains" in done.stdout
    assert "Dear anne" in done.stdout
    files = sorted(path.name for path in (merge.home / "eml").iterdir())
    assert files == ["000002-anne@tq.example.eml", "000003-bob@b.example.eml"]
    facts = parsed(merge.run("--dry-run", "--json"))
    assert (facts["messages"], facts["domains"], facts["skipped"]) == (2, 2, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give --yes"),
        (("--smtp", "smtp://news:secret@mx.example.org"), "TQ_SMTP_PASSWORD_FILE"),
        (("--delimiter", "ab"), "must be one character"),
        (("--attach", "nowhere.pdf"), "attachment nowhere.pdf cannot be read"),
        (("--out", "x"), "--out needs --dry-run"),
        (("--yes", "--report", "a", "--resume", "b"), "leave --report away"),
        (("--html", "nowhere.html"), "cannot read the HTML nowhere.html"),
    ],
)
def test_what_cannot_be_done_is_reported(merge: Merge, options: tuple[str, ...], words: str) -> None:
    merge.to("anne@tq.example")
    done = merge.run(*options)
    assert done.returncode == 2, done
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not merge.delivered
