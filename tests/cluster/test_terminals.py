"""Commands on a real terminal, where arguments, results, errors and output hold what steers one; and in poor locales."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import tq
from xprocess import XProcess

from ..sampling import sampled
from .programs import (
    START_SECONDS,
    TASKS_FILE,
    Master,
    Worker,
    clean_environment,
    command,
    eventually,
    fork_server,
    run_program,
)

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b2J\u202egnp\u2066\x08\x7f end"
OURS = re.compile(r"\x1b\[[0-9;]*m")  # colours, which rich or the writer put round cleaned text
POOR = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]


def on_terminal(arguments: list[object], home: Path, environment: dict[str, str]) -> str:
    """What a terminal gets of a program: all of stdout and stderr."""
    ours, theirs = pty.openpty()
    pieces: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 65_536):
                pieces.append(piece)
        except OSError:  # the other end is closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    words, complete = [*command("tq"), *map(str, arguments)], clean_environment(home, environment)
    try:
        with open(os.devnull, "rb") as nothing:
            if (server := fork_server()).can_start(words, complete):
                server.start(words, home, complete, (nothing.fileno(), theirs, theirs)).wait(START_SECONDS)
            else:
                subprocess.run(
                    words,
                    env=complete,
                    cwd=home,
                    stdin=nothing,
                    stdout=theirs,
                    stderr=theirs,
                    timeout=START_SECONDS,
                    check=False,
                )
    finally:
        os.close(theirs)
        reader.join(START_SECONDS)
        os.close(ours)
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def steering(text: str) -> list[str]:
    """What is left in it that a terminal obeys."""
    rest = OURS.sub("", text).replace("\r\n", "\n")
    return sorted(
        {one for one in rest if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cf", "Cs")}
    )


class Hostile(NamedTuple):
    """A cluster whose tasks hold what steers a terminal, and the ids of those tasks."""

    master: Master
    worker: Worker
    ids: dict[str, str]


@pytest.fixture(scope="module")
def hostile(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    home = tmp_path_factory.mktemp("hostile")
    master = Master(xprocess, home)
    try:
        master.start()
        worker = Worker(xprocess, home, master.address, master.authkey, "--slots", 2, TASKS_FILE)
        try:
            worker.start()
            with tq.App(master.url, master.authkey, role="admin") as admin:
                yield Hostile(master, worker, submitted(admin))
        finally:
            worker.end()
    finally:
        master.end()


def submitted(admin: tq.App) -> dict[str, str]:
    echoed = admin.submit("cluster_tasks:echo", HOSTILE)
    failed = admin.submit("cluster_tasks:fail", HOSTILE)
    said = admin.submit("cluster_tasks:say", HOSTILE, 3)
    waits = admin.named("cluster_tasks:echo", queue="paused").using(delay=3600).submit({HOSTILE: HOSTILE})
    for handle in (echoed, failed, said):
        handle.exception(timeout=20)
    admin.object("get_task_queue", "paused").pause(HOSTILE)
    return {"echoed": echoed.id, "failed": failed.id, "said": said.id, "waits": waits.id}


def commands(ids: dict[str, str]) -> list[list[object]]:
    return [
        ["show", ids["echoed"]],
        ["show", ids["failed"]],
        ["show", ids["waits"]],
        ["show", ids["waits"], "--json"],
        ["show", ids["said"], "--logs"],
        ["why", ids["failed"]],
        ["why", ids["waits"]],
        ["result", ids["echoed"]],
        ["result", ids["failed"]],
        ["queues"],
        ["workers", "--tasks"],
        ["top", "--once"],
        ["doctor"],
        ["map", "cluster_tasks:echo", ":::", "x\x1b[2Jy", "x\u202ey"],
        ["map", "cluster_tasks:fail", ":::", "x\x1b[2Jy\u202e"],
        ["drain", "no such\x1b[2J"],
    ]


@pytest.mark.timeout(240)  # sixteen programs, one after the other
def test_no_command_lets_text_of_others_steer_a_terminal(hostile: Hostile, home: Path) -> None:
    master, _, ids = hostile
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey, "TERM": "xterm-256color"}
    found = {}
    for arguments in commands(ids):
        shown = on_terminal(arguments, home, environment)
        assert shown.strip(), arguments
        if left := steering(shown):
            found[" ".join(map(str, arguments))] = left
    assert not found


@pytest.mark.timeout(240)
@pytest.mark.parametrize("locale", sampled(POOR, POOR[1:]))
def test_no_command_fails_for_its_locale(hostile: Hostile, home: Path, locale: dict[str, str]) -> None:
    master, _, ids = hostile
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey, **locale}
    for arguments in [*commands(ids), ["--help"], ["help", "errors"]]:
        done = run_program("tq", *arguments, home=home, environment=environment)
        assert "UnicodeEncodeError" not in done.stderr + done.stdout, arguments


def test_into_a_pipe_a_result_and_json_are_exact(hostile: Hostile, home: Path) -> None:
    master, _, ids = hostile
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey}
    result = run_program("tq", "result", ids["echoed"], home=home, environment=environment)
    assert result.stdout == HOSTILE + "\n"
    as_json = run_program("tq", "result", ids["echoed"], "--json", home=home, environment=environment)
    assert json.loads(as_json.stdout)["result"] == HOSTILE
    assert not steering(as_json.stdout)
    log = run_program("tq", "show", ids["said"], "--logs", home=home, environment=environment)
    assert log.stdout.count(HOSTILE) == 3


def test_a_workers_log_holds_nothing_that_steers_a_terminal(hostile: Hostile) -> None:
    """Of the tasks that said it and failed with it."""
    eventually(lambda: hostile.worker.log.count(" end") >= 3)
    assert not steering(hostile.worker.log)
