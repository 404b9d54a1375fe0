"""``tq dev`` as a person uses it: programs beside it, edits, mistakes, Ctrl-C, and every way it may die."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from .page_client import Browser
from .programs import clean_environment, command, eventually, run_program, text_program

JOBS = """
import os, time
import tq

app = tq.App()

@app.task
def answer(x):
    return x + 1

@app.task
def fail(x):
    raise LookupError(f"no {x} here")

@app.task
def hold(folder):
    with open(os.path.join(folder, f"held-{answer(0)}"), "w"):
        pass
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.01)
    return answer(0)

if __name__ == "__main__":
    print(answer.submit(41).result(timeout=20))
"""
OTHER = ("x + 1", "x + 100")


class Dev:
    """One ``tq dev``, and what it has shown."""

    def __init__(
        self,
        home: Path,
        *arguments: object,
        environment: Mapping[str, str] = {},
        page: str = "--no-page",
        by_exec: bool = False,
    ) -> None:
        self.home = home
        self._process = text_program(
            [*command("tq"), "dev", page, *map(str, arguments)],
            home,
            clean_environment(home, environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            by_exec=by_exec,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.family: list[psutil.Process] = []

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def shows(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.text.count(text) >= times or self._ended(text), 30)
        with contextlib.suppress(psutil.NoSuchProcess):
            self.family = psutil.Process(self._process.pid).children(recursive=True)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        status = self._process.wait(30)
        self._reader.join(10)
        return status

    def leaves_nothing(self) -> None:
        assert self.family
        _, alive = psutil.wait_procs(self.family, timeout=10)
        assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []

    def end(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.family += psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self.wait()
        for one in self.family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    def _ended(self, text: str) -> bool:
        assert self._process.poll() is None, f"ended before it showed {text!r}:\n{self.text}"
        return False


MakeDev = Callable[..., Dev]


@pytest.fixture
def jobs(home: Path) -> Path:
    file = home / "jobs.py"
    file.write_text(JOBS, "utf-8")
    return file


@pytest.fixture
def make_dev(home: Path, jobs: Path) -> Iterator[MakeDev]:
    made: list[Dev] = []

    def make(*arguments: object, ready: bool = True, environment: Mapping[str, str] = {}, **more: Any) -> Dev:
        made.append(Dev(home, *(arguments or ("jobs.py", "--slots", 1)), environment=environment, **more))
        if ready:
            made[-1].shows("Ctrl-C")
        return made[-1]

    yield make
    for one in made:
        one.end()


def tq(home: Path, *arguments: object) -> str:
    done = run_program("tq", *arguments, home=home)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def run_jobs(home: Path, environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "jobs.py"],
        cwd=home,
        env=clean_environment(home, environment),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_program_in_a_second_terminal_just_works_and_each_task_is_a_line(
    make_dev: MakeDev, home: Path
) -> None:
    elsewhere = {"TQ_URL": "tq://127.0.0.1:1", "TQ_AUTHKEY": "of another cluster"}
    dev = make_dev(environment=elsewhere)
    assert "next    python jobs.py\n" in dev.text
    assert "serves  jobs:answer jobs:fail jobs:hold" in dev.text
    done = run_jobs(home, elsewhere)
    assert (done.stdout, done.returncode) == ("42\n", 0), done.stderr
    dev.shows("answer(41) → 42")
    assert (home / ".tq" / ".gitignore").read_text("utf-8") == "*\n"
    assert (home / ".tq").stat().st_mode & 0o077 == 0

    run_program("tq", "submit", "jobs:fail", "milk", home=home)
    dev.shows("fail('milk') → LookupError: no milk here")
    dev.shows("         LookupError: no milk here")
    assert 'File "jobs.py", line 13, in fail' in dev.text
    assert "child.py" not in dev.text

    dev.signal(signal.SIGINT)
    assert dev.wait() == 0
    assert dev.text.rstrip().endswith("next: tq dev jobs.py")
    dev.leaves_nothing()
    late = run_program("tq", "queues", home=home)
    assert "no `tq dev` runs here any more" in late.stderr


def test_an_edit_is_new_code_for_what_waits_while_what_runs_finishes(
    make_dev: MakeDev, home: Path, jobs: Path
) -> None:
    dev = make_dev()
    running = tq(home, "submit", "jobs:hold", home)
    eventually((home / "held-1").exists)
    waiting = tq(home, "submit", "jobs:answer", 1)
    jobs.write_text(JOBS.replace(*OTHER), "utf-8")
    dev.shows("jobs.py changed")
    (home / "go").touch()
    assert tq(home, "result", running) == "1"
    assert tq(home, "result", waiting) == "101"
    dev.shows("new code serves")
    assert "attempt 2" not in dev.text


def test_what_runs_longer_than_the_grace_runs_again_with_the_new_code(
    make_dev: MakeDev, home: Path, jobs: Path
) -> None:
    dev = make_dev()
    running = tq(home, "submit", "jobs:hold", home)
    eventually((home / "held-1").exists)
    jobs.write_text(JOBS.replace(*OTHER), "utf-8")
    dev.shows("were returned")
    eventually((home / "held-100").exists)
    (home / "go").touch()
    assert tq(home, "result", running) == "100"


def test_code_that_cannot_be_read_is_reported_once_and_the_next_change_is_the_next_try(
    make_dev: MakeDev, home: Path, jobs: Path
) -> None:
    jobs.write_text(JOBS + "\ndef broken(:\n", "utf-8")
    dev = make_dev()
    dev.shows("SyntaxError")
    dev.shows("tasks wait until a change makes it work")
    waiting = tq(home, "submit", "jobs:answer", 1)
    jobs.write_text(JOBS + "\ndef broken(:\n\n", "utf-8")
    dev.shows("the same error")
    jobs.write_text("import helper\n" + JOBS, "utf-8")
    dev.shows("No module named 'helper'")
    (home / "helper.py").write_text("", "utf-8")
    assert tq(home, "result", waiting) == "2"
    assert dev.text.count("SyntaxError") == 1
    assert "loading.py" not in dev.text
    assert "importlib" not in dev.text


def test_nothing_outlives_a_dev_that_is_killed_and_the_next_one_has_its_tasks(
    make_dev: MakeDev, home: Path
) -> None:
    dev = make_dev()
    id = tq(home, "submit", "jobs:answer", 7, "--delay", 3600)
    dev.signal(signal.SIGKILL)
    dev.wait()
    dev.leaves_nothing()
    stale = run_program("tq", "show", id, home=home)
    assert "no `tq dev` runs here any more" in stale.stderr

    again = make_dev()
    assert "answer" in tq(home, "show", id)
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    make_dev("jobs.py", "--fresh")
    assert run_program("tq", "show", id, home=home).returncode == 5


def test_a_second_one_here_says_who_is_there_and_a_second_ctrl_c_waits_for_nothing(
    make_dev: MakeDev, home: Path
) -> None:
    dev = make_dev()
    second = run_program("tq", "dev", "jobs.py", home=home)
    assert second.returncode == 2
    assert "another tq dev (process " in second.stderr
    tq(home, "submit", "jobs:hold", home)
    eventually((home / "held-1").exists)
    dev.shows("Ctrl-C")
    dev.signal(signal.SIGINT)
    dev.shows("finishing running tasks")
    dev.signal(signal.SIGINT)
    assert dev.wait() == 1
    dev.leaves_nothing()


def test_programs_that_die_are_started_again_and_a_worker_silently_joins(
    make_dev: MakeDev, home: Path
) -> None:
    dev = make_dev(by_exec=True)  # a forked program has the command line of what it was forked from
    commands = {one: one.cmdline() for one in dev.family}
    victims = [one for one, words in commands.items() if {"tq.master.cli", "tq.worker.cli"} & {*words}]
    assert len(victims) == 2
    for one in victims:
        one.kill()
    dev.shows("was killed by SIGKILL", times=2)
    assert run_jobs(home).stdout == "42\n"
    worker = subprocess.Popen(
        [*command("tq-worker"), "--slots", "1", "jobs.py"],
        cwd=home,
        env=clean_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: f'"pid": {worker.pid}' in tq(home, "workers", "--json"))
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)


def test_a_reader_that_goes_away_ends_nothing(home: Path, jobs: Path) -> None:
    process = subprocess.Popen(
        [*command("tq"), "dev", "jobs.py", "--slots", "1"],
        cwd=home,
        env=clean_environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        with process.stdout as shown:
            while b"Ctrl-C" not in shown.readline():
                assert process.poll() is None
        assert [run_jobs(home).stdout for _ in range(2)] == ["42\n", "42\n"]
    finally:
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 1


def test_a_port_that_is_taken_is_no_obstacle_unless_it_was_asked_for(
    make_dev: MakeDev, home: Path, tmp_path: Path
) -> None:
    make_dev()
    other = tmp_path / "other"
    other.mkdir()
    (other / "jobs.py").write_text(JOBS, "utf-8")
    second = Dev(other, "jobs.py")
    try:
        second.shows("Ctrl-C")
        assert run_jobs(other).stdout == "42\n"
        port = second.text.partition("tq://127.0.0.1:")[2].partition(",")[0]
        third = tmp_path / "third"
        third.mkdir()
        (third / "jobs.py").write_text(JOBS, "utf-8")
        refused = run_program("tq", "dev", "jobs.py", "--port", port, home=third)
        assert refused.returncode == 2
        assert f"127.0.0.1:{port} is in use" in refused.stderr
    finally:
        second.end()


def test_a_file_that_is_not_there_is_reported_before_anything_starts(home: Path) -> None:
    done = run_program("tq", "dev", "absent.py", home=home)
    assert (done.returncode, os.listdir(home)) == (2, [])
    assert "there is no file absent.py" in done.stderr


def test_the_page_is_there_with_a_link_that_logs_in_and_ends_with_the_rest(make_dev: MakeDev) -> None:
    dev = make_dev(page="--page")
    dev.shows("/open#")
    url, _, word = re.findall(r"(http://\S+)(/open#)(\S+)", dev.text)[0]
    browser = Browser(url)
    assert browser.post("/open", {"word": word}).status == 303
    assert "jobs:answer" in browser.get("/workers?format=json").text
    dev.signal(signal.SIGINT)
    assert dev.wait() == 0
    dev.leaves_nothing()
