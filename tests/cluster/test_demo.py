"""``tq demo`` as a person runs it: with and without deaths, what it checks, and that its checks can fail."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from .forked_programs import PipedProgram
from .programs import clean_environment, command, eventually, run_program, text_program

MESSAGES = 45  # one of them is refused for good
MORE_MESSAGES = 120  # so many that the job is under way when something is done to it
SECONDS = 45.0  # a killed master grants every lease in its store 20 s to be announced again


@contextlib.contextmanager
def started(home: Path, *arguments: object) -> Iterator[subprocess.Popen[str] | PipedProgram]:
    """A demo under way; whatever becomes of it, it and its cluster are gone afterwards."""
    process = text_program(
        [*command("tq"), "demo", *map(str, arguments)],
        home,
        clean_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    family: list[psutil.Process] = []
    try:
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    family = psutil.Process(process.pid).children(recursive=True)
                    process.kill()
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


def mailbox(folder: Path) -> list[dict[str, Any]]:
    path = folder / "mailbox.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.mark.thorough  # the one with deaths does all of it
def test_a_quiet_demo_holds_and_leaves_nothing_behind(home: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = run_program(
        "tq", "demo", "--no-chaos", "--messages", MESSAGES, home=home, environment={"TMPDIR": str(temporary)}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("every check held")
    assert re.search(rf"messages delivered +\d+ of {MESSAGES}\b", done.stdout)
    assert re.search(r"killed +no process", done.stdout)
    assert re.search(r"lost +0\b", done.stdout)
    assert re.search(r"delivered twice +0\b", done.stdout)
    assert list(temporary.iterdir()) == []


def test_a_demo_with_deaths_loses_nothing_and_accounts_for_every_address(home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with started(home, "--messages", MORE_MESSAGES, "--json", "--keep", kept) as demo:
        out, err = demo.communicate(timeout=SECONDS)
    outcome = json.loads(out)
    assert (demo.returncode, outcome["problems"], err) == (0, [], "")
    assert outcome["holds"] is True
    assert [line.split(" (")[0] for line in outcome["killed"]] == ["worker-a", "the master"]
    assert outcome["lost"] == 0
    assert outcome["delivered"] + outcome["refused"] == outcome["messages"] == MORE_MESSAGES
    assert outcome["words"] > outcome["files"] > MORE_MESSAGES
    assert len({line["to"] for line in mailbox(kept)}) == outcome["delivered"]
    assert len({line["message_id"] for line in mailbox(kept)}) == outcome["delivered"]
    assert {path.name for path in kept.glob("*.log")} == {
        "master.log",
        "smtp.log",
        "worker-a.log",
        "worker-b.log",
    }


def test_a_mail_that_disappears_and_one_that_went_astray_are_reported_and_end_with_status_1(
    home: Path, tmp_path: Path
) -> None:
    """In the mailbox is a stranger's mail in place of all others: two checks that cannot hold."""
    kept = tmp_path / "kept"
    stray = {"to": "stranger@tq.example", "message_id": "<stray@tq.example>", "subject": "lost its way"}
    with started(home, "--no-chaos", "--messages", MORE_MESSAGES, "--json", "--keep", kept) as demo:
        eventually(lambda: len(mailbox(kept)) >= 2)
        (tmp_path / "stray").write_text(json.dumps(stray) + "\n", "utf-8")
        (tmp_path / "stray").replace(kept / "mailbox.jsonl")  # a file that the server does not write to
        out, err = demo.communicate(timeout=SECONDS)
    assert (demo.returncode, bool(out)) == (1, True), err
    outcome = json.loads(out)
    assert outcome["holds"] is False
    missed, strayed = sorted(
        outcome["problems"], reverse=True, key=lambda problem: "not delivered" in problem
    )
    assert re.match(r"\d+ messages were not delivered, e\.g\. ", missed)
    assert strayed == "1 addresses got mail and should not have, e.g. stranger@tq.example"
    assert f"the logs and the mailbox are in {kept}" in err


def test_an_interrupted_demo_stops_everything_it_started(home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with started(home, "--no-chaos", "--keep", kept) as demo:
        eventually(lambda: mailbox(kept))
        family = psutil.Process(demo.pid).children(recursive=True)
        assert len(family) >= 4
        demo.send_signal(signal.SIGINT)
        _, err = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 130
    assert "interrupted; everything that was started has been stopped" in err
    _, alive = psutil.wait_procs(family, timeout=SECONDS)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("messages", ["0", "1001", "many"])
def test_a_number_of_messages_out_of_range_is_refused(home: Path, messages: str) -> None:
    done = run_program("tq", "demo", "--messages", messages, home=home)
    assert done.returncode == 2
    assert "--messages" in done.stderr
