"""``tq map`` as people use it: in pipes, killed, interrupted, gone on with; every line once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shlex
import signal
import struct
import subprocess
import termios
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from .conftest import Cluster
from .forked_programs import PipedProgram
from .programs import clean_environment, command, eventually, fork_server

FAILED, USAGE, UNREACHABLE = 1, 2, 3
RSS_BYTES_MAX = 200 * 1024 * 1024  # some 70 MB are Python, the connection and the window


class Shell:
    """``tq`` in a directory of the test's own, against the shared cluster."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        self.home, self.queue = home, f"q-{uuid.uuid4().hex[:8]}"
        self._environment = {"TQ_URL": cluster.master.url, "TQ_AUTHKEY": cluster.master.authkey}
        self._started: list[subprocess.Popen[bytes] | PipedProgram] = []

    @property
    def journals(self) -> list[Path]:
        return list((self.home / ".local/state/tq").glob("*.journal"))

    def start(
        self,
        *arguments: object,
        stdin: int | IO[bytes] = subprocess.PIPE,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        more: Mapping[str, str] = {},
        by_exec: bool = False,
    ) -> subprocess.Popen[bytes] | PipedProgram:
        words = [*command("tq"), *map(str, arguments)]
        environment = clean_environment(self.home, {**self._environment, **more})
        if not by_exec and (server := fork_server()).can_start(words, environment):
            self._started.append(server.popen(words, self.home, environment, (stdin, stdout, stderr)))
            return self._started[-1]
        # a suite in the background of a shell ignores Ctrl-C, and so would what it starts
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            words,
            env=environment,
            cwd=self.home,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        signal.signal(signal.SIGINT, before)
        self._started.append(process)
        return process

    def map(
        self, *arguments: object, input: bytes = b"", program: str = "map"
    ) -> subprocess.CompletedProcess[bytes]:
        process = self.start(program, *arguments)
        out, err = process.communicate(input, timeout=50)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def append(self, out: Path, *arguments: object, input: Path) -> tuple[int, str]:
        """``tq map … < input >> out``: status and stderr."""
        with out.open("ab") as stdout, input.open("rb") as stdin:
            process = self.start("map", *arguments, stdin=stdin, stdout=stdout)
            _, err = process.communicate(timeout=50)
        return process.returncode, err.decode()

    def end(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


@pytest.fixture
def shell(cluster: Cluster, home: Path) -> Iterator[Shell]:
    shell = Shell(cluster, home)
    yield shell
    shell.end()


@pytest.fixture
def waiting(cluster: Cluster, shell: Shell) -> Callable[[], int]:
    """How many tasks of the test's queue have not ended."""

    def count() -> int:
        rows = [row for row in cluster.app.call(["get_queues"], "list") if row["name"] == shell.queue]
        return sum(row["ready"] + row["running"] + row["scheduled"] for row in rows)

    return count


class Noted:
    """A hundred lines and more, each a task that leaves a line where it ran."""

    def __init__(self, folder: Path, lines: int, seconds: float) -> None:
        self.notes, self.input, self.out = folder / "notes", folder / "input", folder / "out"
        self.lines = lines
        calls = ([str(self.notes), number, seconds] for number in range(1, lines + 1))
        self.input.write_text("".join(json.dumps(call) + "\n" for call in calls))
        self.arguments = ["cluster_tasks:noted", "--jsonl", "--star"]

    def shown(self) -> list[int]:
        return [int(line) for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def runs(self) -> Counter[int]:
        return Counter(map(int, self.notes.read_text().split()))

    def check_all_once(self) -> None:
        assert self.shown() == list(range(1, self.lines + 1))
        assert self.runs() == Counter(range(1, self.lines + 1))


# forms of input and output


def test_results_come_in_the_order_of_the_lines(shell: Shell) -> None:
    lines = "".join(f"{number}-ü\n" for number in range(2_000)).encode()
    done = shell.map("cluster_tasks:echo", input=lines)
    assert (done.returncode, done.stdout, done.stderr) == (0, lines, b"")
    assert shell.journals == []


def test_results_come_as_they_are_when_order_does_not_matter(shell: Shell) -> None:
    done = shell.map("cluster_tasks:sleep", "--jsonl", "--unordered", input=b"0.5\n0\n0.01\n")
    assert done.stdout.split() == [b"0", b"0.01", b"0.5"]


@pytest.mark.parametrize(
    ("arguments", "input", "output"),
    [
        (["cluster_tasks:add", "--csv"], b'a,b\n1,2\n"x\n",y\n', b"12\nx\ny\n"),
        (["cluster_tasks:echo", "--csv", "--as-dict"], b"a,b\n1,2\n", b'{"a": "1", "b": "2"}\n'),
        (["cluster_tasks:add", "--jsonl", "--star"], b'[1, 2]\n{"b": 3, "a": 4}\n', b"3\n7\n"),
        (["cluster_tasks:echo", "--null"], b"a\nb\0c\0", b"a\nb\nc\n"),
        (["cluster_tasks:echo", ":::", "--", "-x", "--json", ":"], b"", b"-x\n--json\n:\n"),
        (["cluster_tasks:echo", "::::", "first", "-", "first"], b"second\n", b"1\n2\nsecond\n1\n2\n"),
        (["cluster_tasks:echo"], b"", b""),
    ],
)
def test_forms_of_input(shell: Shell, arguments: list[str], input: bytes, output: bytes) -> None:
    (shell.home / "first").write_text("1\n2")
    done = shell.map(*arguments, input=input)
    assert (done.returncode, done.stdout, done.stderr) == (0, output, b"")


def test_every_item_is_a_json_object_when_a_program_reads(shell: Shell) -> None:
    done = shell.map("cluster_tasks:sleep", "--json", "--jsonl", input=b'0.2\n"x"\n{\n')
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["number"], row["input"], row["state"]) for row in rows] == [
        (1, 0.2, "succeeded"),
        (2, "x", "failed"),
        (3, "{", "refused"),
    ]
    assert rows[0]["result"] == 0.2
    assert 0.2 <= rows[0]["seconds"] < 20
    assert rows[0]["worker"]
    assert rows[1]["error"].startswith("TypeError")
    assert rows[2]["id"] is None
    assert done.returncode == FAILED


def test_what_fails_is_reported_with_its_line_and_the_others_go_on(shell: Shell) -> None:
    done = shell.map("cluster_tasks:sleep", "--jsonl", "--retries", 1, input=b'0\n"no number"\n0\n\xff\n')
    assert (done.returncode, done.stdout) == (FAILED, b"0\n0\n")
    first, second, third = done.stderr.decode().splitlines()
    assert first.startswith("tq: line 2 'no number': TypeError: ")
    assert second == r"tq: line 4 '\\xff': it is not UTF-8: byte 0xff at position 1"
    assert third == "tq: 2 of 4 failed"


def test_it_stops_at_so_many_failures_and_cancels_the_rest(shell: Shell, waiting: Callable[[], int]) -> None:
    lines = b'"bad"\n' * 3 + b"30\n" * 50
    done = shell.map(
        "cluster_tasks:sleep", "--jsonl", "--max-failures", 2, "--queue", shell.queue, input=lines
    )
    assert (done.returncode, done.stdout) == (FAILED, b"")
    assert b"too many failures: 0 done, 2 failed" in done.stderr
    assert waiting() == 0


# pipes


def test_first_results_come_before_the_input_ends(shell: Shell) -> None:
    process = shell.start("map", "cluster_tasks:echo")
    assert process.stdin is not None
    assert process.stdout is not None
    for line in (b"first\n", b"second\n"):
        process.stdin.write(line)
        process.stdin.flush()
        assert process.stdout.readline() == line
    process.stdin.close()
    assert process.wait(20) == 0


def test_it_stops_quietly_when_its_output_is_closed(shell: Shell, waiting: Callable[[], int]) -> None:
    endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    try:
        process = shell.start("map", "cluster_tasks:echo", "--queue", shell.queue, stdin=endless.stdout or 0)
        assert process.stdout is not None
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(30) == 128 + signal.SIGPIPE
        assert process.stderr is not None
        # Where the machine is so busy that the connection is lost for a moment, that is said, and nothing else.
        said = process.stderr.read().splitlines()
        assert [line for line in said if not line.endswith(b"as soon as there is a connection again")] == []
    finally:
        endless.kill()
        endless.communicate()
    eventually(lambda: waiting() == 0)
    assert shell.journals == []


def test_a_reader_that_goes_away_is_noticed_while_nothing_is_written(shell: Shell) -> None:
    process = shell.start("map", "cluster_tasks:sleep", "--jsonl", "--queue", shell.queue, ":::", "60")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("task", "first", "others", "lines"),
    [
        ("echo", '"a"', '"b"', 40_000),
        ("large", "[2, 1]", "[0, 600000]", 300),  # the first holds back 180 MB of results
    ],
)
def test_memory_does_not_grow_with_the_input(
    shell: Shell, task: str, first: str, others: str, lines: int
) -> None:
    source, out = shell.home / "input", shell.home / "out"
    source.write_text(first + "\n" + (others + "\n") * lines)
    arguments = [f"cluster_tasks:{task}", "--jsonl", "--star"]
    with source.open("rb") as stdin, out.open("wb") as stdout:
        process = shell.start("map", *arguments, stdin=stdin, stdout=stdout, by_exec=True)
        measured, peak = psutil.Process(process.pid), 0

        def over() -> bool:
            nonlocal peak
            with contextlib.suppress(psutil.Error):
                peak = max(peak, measured.memory_info().rss)
            return process.poll() is not None

        eventually(over, seconds=50)
    assert process.returncode == 0
    with out.open("rb") as result:
        assert sum(1 for _ in result) == lines + 1
    assert 0 < peak < RSS_BYTES_MAX


# the bar


def test_the_bar_names_the_item_that_runs_longest_while_it_runs(shell: Shell) -> None:
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(ours, False)
    gate, out, seen = shell.home / "gate", shell.home / "out", bytearray()
    lines = [json.dumps(["thinking", 3]), json.dumps(["resizing", 4, str(gate)])]

    def shows(words: bytes) -> bool:
        with contextlib.suppress(BlockingIOError):
            seen.extend(os.read(ours, 65_536))
        return words in seen

    try:
        with out.open("wb") as stdout:
            arguments = ["map", "cluster_tasks:say", "--jsonl", "--star", ":::", *lines]
            process = shell.start(*arguments, stdout=stdout, stderr=terminal, more={"TERM": "xterm"})
            eventually(lambda: shows(b"item 2: 4/4 resizing"))
            gate.touch()
            eventually(lambda: shows(b"2/2") and process.poll() is not None)
        shows(b"")
    finally:
        os.close(ours)
        os.close(terminal)
    assert (process.returncode, out.read_text()) == (0, "3\n4\n")
    last_frame = seen.rpartition(b"cluster_tasks:say")[2]
    assert b"item 2" not in last_frame


# killed, interrupted, gone on with


def test_a_killed_run_is_gone_on_with_and_every_line_runs_and_shows_once(shell: Shell) -> None:
    job = Noted(shell.home, lines=300, seconds=0.01)
    with job.out.open("wb") as stdout, job.input.open("rb") as stdin:
        process = shell.start("map", "--journal", "j", *job.arguments, stdin=stdin, stdout=stdout)
        eventually(lambda: len(job.shown()) >= 40)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with (shell.home / "j").open("ab") as journal, job.out.open("ab") as out:
        journal.write(b"17 00")  # torn, as both may be
        out.write(b"4")
    assert len(job.shown()) < 300
    assert shell.append(job.out, "--resume", "j", *job.arguments, input=job.input) == (0, "")
    job.check_all_once()
    assert shell.append(job.out, "--resume", "j", *job.arguments, input=job.input) == (0, "")
    job.check_all_once()


def test_an_interrupted_run_cancels_and_says_how_to_go_on(shell: Shell, waiting: Callable[[], int]) -> None:
    job = Noted(shell.home, lines=100, seconds=0.05)
    arguments = [*job.arguments, "--queue", shell.queue]
    with job.out.open("wb") as stdout, job.input.open("rb") as stdin:
        process = shell.start("map", *arguments, stdin=stdin, stdout=stdout)
        eventually(lambda: len(job.shown()) >= 5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=50)
    assert process.returncode == 128 + signal.SIGINT
    assert waiting() == 0
    begun = job.runs()
    assert len(begun) < 100
    [journal] = shell.journals
    assert "cancelling" in err.decode()
    assert (
        f"go on with: tq map --resume {journal} {' '.join(map(str, arguments))} < {job.input} >> {job.out}"
        in (err.decode())
    )
    assert shell.append(job.out, "--resume", journal, *arguments, input=job.input) == (0, "")
    assert job.shown() == list(range(1, 101))
    again = {number for number, times in job.runs().items() if times > 1}
    assert len(again) <= 2  # cancelled while they ran, one a slot
    assert again <= set(begun)
    assert shell.journals == []


def test_interrupted_twice_it_leaves_everything_running(shell: Shell, waiting: Callable[[], int]) -> None:
    job = Noted(shell.home, lines=40, seconds=0.1)
    arguments = [*job.arguments, "--queue", shell.queue, "--journal", "j"]
    with job.out.open("wb") as stdout, job.input.open("rb") as stdin:
        process = shell.start("map", *arguments, stdin=stdin, stdout=stdout)
        eventually(lambda: len(job.shown()) >= 3)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"Ctrl-C again leaves them running" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
        err = process.stderr.read().decode()
    assert f"running in queue {shell.queue}" in err
    assert "go on with: tq map --resume j cluster_tasks:noted" in err
    eventually(lambda: waiting() == 0)  # by themselves
    assert set(job.runs()) == set(range(1, 41))
    arguments[-2:] = ["--resume", "j"]
    assert shell.append(job.out, *arguments, input=job.input) == (0, "")
    job.check_all_once()


def test_another_input_or_output_is_reported(shell: Shell) -> None:
    job = Noted(shell.home, lines=10, seconds=0)
    assert shell.append(job.out, "--journal", "j", *job.arguments, input=job.input) == (0, "")
    whole, changed = job.input.read_text(), shell.home / "changed"
    for text, words in [
        (whole.replace(" 7,", " 8,"), "line 7 of the input is not what it was"),
        ("".join(whole.splitlines(keepends=True)[:5]), "the input has 5 lines"),
    ]:
        changed.write_text(text)
        status, err = shell.append(job.out, "--resume", "j", *job.arguments, input=changed)
        assert status == USAGE
        assert words in err
    status, err = shell.append(job.out, "--resume", "j", "cluster_tasks:echo", input=job.input)
    assert (status, "with task 'cluster_tasks:noted'" in err) == (USAGE, True)
    job.out.write_bytes(b"")
    status, err = shell.append(job.out, "--resume", "j", *job.arguments, input=job.input)
    assert (status, "was it emptied" in err) == (USAGE, True)
    assert shell.append(job.out, "--resume", "j", "--reprint", *job.arguments, input=job.input) == (0, "")
    job.check_all_once()


def test_what_failed_is_tried_again_when_asked(shell: Shell) -> None:
    tries = shell.home / "tries"
    input, out = shell.home / "input", shell.home / "out"
    input.write_text(json.dumps([str(tries), 1]) + "\n" + json.dumps([str(shell.home / "none"), 0]) + "\n")
    arguments = ["cluster_tasks:succeed_after", "--jsonl", "--star"]
    status, err = shell.append(out, "--journal", "j", *arguments, input=input)
    assert (status, "try 1 fails" in err) == (FAILED, True)
    status, err = shell.append(out, "--resume", "j", *arguments, input=input)
    assert (status, err) == (FAILED, "tq: 1 of 2 failed\n")
    assert shell.append(out, "--resume", "j", "--retry-failed", *arguments, input=input) == (0, "")
    assert sorted(out.read_text().split()) == ["1", "2"]


def test_what_others_wrote_behind_a_run_that_ended_in_good_order_stays(shell: Shell) -> None:
    job = Noted(shell.home, lines=5, seconds=0)
    assert shell.append(job.out, "--journal", "j", *job.arguments, input=job.input) == (0, "")
    with job.out.open("a") as out:
        out.write("6\n")
    assert shell.append(job.out, "--resume", "j", *job.arguments, input=job.input) == (0, "")
    assert job.shown() == [1, 2, 3, 4, 5, 6]


def test_nothing_is_cut_off_a_file_that_complaints_go_to_as_well(shell: Shell) -> None:
    log, input = shell.home / "log", b'0\n"bad"\n0\n'
    for option in ("--journal", "--resume"):
        with log.open("ab") as both:
            arguments = ["map", option, "j", "cluster_tasks:sleep", "--jsonl"]
            process = shell.start(*arguments, stdout=both, stderr=both)
            process.communicate(input, timeout=50)
        assert process.returncode == FAILED
    assert log.read_text().count("tq: line 2 'bad'") == 1
    assert log.read_text().splitlines().count("0") == 2
    assert log.read_text().count("tq: 1 of 3 failed") == 2


def test_a_master_that_never_answers_leaves_nothing_to_go_on_with(shell: Shell) -> None:
    done = shell.start("map", "a:b", "--url", "tq://127.0.0.1:9", ":::", "1")
    _, err = done.communicate(timeout=50)
    assert done.returncode == UNREACHABLE
    assert b"go on with" not in err
    assert shell.journals == []


def test_a_closed_output_is_reported(shell: Shell) -> None:
    words = [*command("tq"), "map", "a:b", ":::", "1"]
    environment = clean_environment(shell.home, {"TQ_URL": "tq://127.0.0.1:9", "TQ_AUTHKEY": "x" * 20})
    line = f"exec {shlex.join(words)} >&-"
    done = subprocess.run(["/bin/sh", "-c", line], env=environment, capture_output=True, timeout=50)
    assert (done.returncode, b"standard output is closed" in done.stderr) == (USAGE, True)


def test_an_output_without_room_ends_it_and_can_be_gone_on_with(shell: Shell) -> None:
    with Path("/dev/full").open("wb") as full:
        process = shell.start("map", "cluster_tasks:echo", ":::", "1", stdout=full)
        _, err = process.communicate(timeout=50)
    assert process.returncode == FAILED
    assert b"cannot go on: [Errno 28] No space left on device" in err
    assert b"go on with: tq map --resume" in err
    [journal] = shell.journals
    done = shell.map("--resume", journal, "cluster_tasks:echo", ":::", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")


def test_a_refused_key_ends_it_with_its_status(shell: Shell) -> None:
    process = shell.start("map", "a:b", ":::", "1", more={"TQ_AUTHKEY": "not the key"})
    assert process.wait(30) == 4


def test_an_item_that_is_too_large_fails_alone(shell: Shell) -> None:
    large = os.urandom(8_700_000).hex().encode()[: 16 * 1024 * 1024 - 5]
    done = shell.map("cluster_tasks:echo", input=b"a\n" + large + b"\nb\n")
    assert (done.returncode, done.stdout) == (FAILED, b"a\nb\n")
    complaint: Any = done.stderr.decode()
    assert complaint.startswith("tq: line 2 ")
    assert "limit" in complaint
