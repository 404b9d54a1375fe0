"""Running programs: what comes back, what is left out, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import tq
from hypothesis import given
from hypothesis import strategies as st
from tq.tasks.shell import OUTPUT_BYTES_MAX, CommandFailed, Kept, run

from ..cluster.programs import eventually

SH = "/bin/sh"


class Struck(BaseException):
    """What a time limit does to a task."""


@pytest.fixture
def strike_when_there_is(tmp_path: Path) -> Iterator[Path]:
    """A file; once it is there the main thread is struck by the signal with which the worker ends a task."""

    def look(number: int, frame: object) -> None:
        if file.exists():
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.02)

    def struck(number: int, frame: object) -> None:
        raise Struck

    file = tmp_path / "pids"
    before = signal.signal(signal.SIGALRM, look), signal.signal(signal.SIGUSR1, struck)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    yield file
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before[0])
    signal.signal(signal.SIGUSR1, before[1])


def test_a_strike_that_comes_while_it_starts_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def struck(number: int, frame: object) -> None:
        raise Struck

    def start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess_popen(*args, **options))
        os.kill(os.getpid(), signal.SIGUSR1)
        return started[0]

    started: list[subprocess.Popen[bytes]] = []
    subprocess_popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    over = threading.Event()
    other = threading.Thread(target=over.wait)  # as a child of a worker has: it blocks no signal
    other.start()
    before = signal.signal(signal.SIGUSR1, struck)
    try:
        with pytest.raises(Struck):
            run([SH, "-c", "sleep 300"])
        assert signal.getsignal(signal.SIGUSR1) is struck
    finally:
        signal.signal(signal.SIGUSR1, before)
        over.set()
        other.join()
    assert started[0].returncode == -signal.SIGTERM


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # not ours to reap
    except psutil.NoSuchProcess:
        return True


def failed(*command: str | bytes) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        run(list(command))
    return caught.value


def test_what_a_command_writes_comes_back() -> None:
    done = run([SH, "-c", "echo out; echo err >&2; printf '\\377'"])
    assert done == {"exit_code": 0, "stdout": b"out\n\xff", "stderr": b"err\n"}


def test_words_are_not_a_shells(tmp_path: Path) -> None:
    words = ["; rm -rf x", "$HOME", "*", "", "a b", b"\xff"]
    program = "import sys, os; print([os.fsencode(word) for word in sys.argv[1:]])"
    done = run([sys.executable, "-c", program, *words], cwd=str(tmp_path))
    assert done["stdout"].decode().strip() == str([os.fsencode(word) for word in words])


def test_a_command_has_no_input() -> None:
    assert run(["cat"])["stdout"] == b""


def test_it_runs_in_the_given_folder_with_the_given_variables(tmp_path: Path) -> None:
    done = run([SH, "-c", 'pwd; echo $WORD; test -n "$PATH"'], cwd=str(tmp_path), env={"WORD": "a b"})
    assert done["stdout"].decode().split("\n") == [str(tmp_path.resolve()), "a b", ""]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ([SH, "-c", "echo one >&2; echo 'the reason ' >&2; exit 7"], 7, "exit status 7: the reason"),
        ([SH, "-c", "kill -KILL $$"], 128 + 9, "killed by SIGKILL"),
        (["no such program"], 127, "cannot start it: No such file or directory: b'no such program'"),
        ([b"/"], 126, "cannot start it: Permission denied: b'/'"),
    ],
)
def test_an_exit_code_that_is_not_0_is_a_failure(command: list[str | bytes], code: int, message: str) -> None:
    error = failed(*command)
    assert str(error) == message
    assert error.tq_detail["exit_code"] == code


def test_a_failure_has_the_output_too() -> None:
    assert failed(SH, "-c", "echo out; false").tq_detail == {
        "exit_code": 1,
        "stdout": b"out\n",
        "stderr": b"",
    }


def test_a_folder_that_is_not_there_is_reported() -> None:
    with pytest.raises(CommandFailed, match="'/no/such/folder'"):
        run(["true"], cwd="/no/such/folder")


def test_no_command_is_given_up_for_good() -> None:
    with pytest.raises(tq.Discard):
        run([])


def test_much_output_is_cut_in_the_middle() -> None:
    program = f"import sys; sys.stdout.write('a' * {OUTPUT_BYTES_MAX} + 'z' * {OUTPUT_BYTES_MAX})"
    out = run([sys.executable, "-c", program])["stdout"]
    half = OUTPUT_BYTES_MAX // 2
    assert out == b"a" * half + f"\n… {OUTPUT_BYTES_MAX:,} bytes left out …\n".encode() + b"z" * half


@given(st.lists(st.binary(max_size=40)), st.integers(1, 20).map(lambda half: 2 * half))
def test_the_first_and_the_last_are_kept(pieces: list[bytes], bytes_max: int) -> None:
    kept = Kept(bytes_max)
    for piece in pieces:
        kept.put(piece)
    whole, half = b"".join(pieces), bytes_max // 2
    if len(whole) <= bytes_max:
        assert kept.kept() == whole
    else:
        assert kept.kept().startswith(whole[:half] + "\n… ".encode())
        assert kept.kept().endswith(" …\n".encode() + whole[-half:])


def test_what_a_command_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    pid = int(run([SH, "-c", "sleep 300 & echo $!"])["stdout"])
    eventually(lambda: gone(pid))


@pytest.mark.parametrize("deaf", [False, True])
def test_when_its_time_is_over_the_whole_group_ends(strike_when_there_is: Path, deaf: bool) -> None:
    trap = "trap '' TERM; " if deaf else ""
    command = (
        f"{trap}{SH} -c '{trap.replace(chr(39), chr(34))}sleep 300; :' & echo $! $$ > p; mv p pids; wait; :"
    )
    with pytest.raises(Struck):
        run([SH, "-c", command], cwd=str(strike_when_there_is.parent))
    for pid in map(int, strike_when_there_is.read_text().split()):
        eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]


def test_a_command_receives_signals_that_the_worker_ignores() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert failed(SH, "-c", "kill -INT $$; sleep 5").tq_detail["exit_code"] == 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, before)
