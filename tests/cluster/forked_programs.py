"""Programs of the package in processes of their own, forked from one that has imported them.

Four fifths of what a start of ``tq-master`` computes are imports, and the suite starts a thousand programs. What an
interpreter does before the first line of a program is not shown by these: a test of that starts its program by exec.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final

import psutil

from .child_template import forking, read_at_start
from .fork_server import LENGTH, NUMBER, is_known

SERVER = Path(__file__).with_name("fork_server.py")
TEMPLATE = Path(__file__).with_name("child_template.py")
END_SECONDS: Final = 20.0


class ForkedProgram:
    """One of them, as ``Popen`` would show it."""

    def __init__(self, words: Sequence[str], pid: int, status: int) -> None:
        self.args, self.pid, self.status = words, pid, status
        self.returncode: int | None = None
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, status)

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None and self._is_readable(0):
                word = os.read(self.status, NUMBER.size)
                if not word:
                    raise ChildProcessError(f"the server of {self.args} has ended")
                self.returncode = os.waitstatus_to_exitcode(NUMBER.unpack(word)[0])
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._is_readable(timeout)
        if (code := self.poll()) is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(list(self.args), timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _is_readable(self, seconds: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self.status, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else seconds * 1000))


class PipedProgram(ForkedProgram):
    """One with pipes: ``stdin``, ``stdout`` and ``stderr`` are our ends of those that were asked for."""

    def __init__(self, words: Sequence[str], pid: int, status: int, pipes: Sequence[IO[Any] | None]) -> None:
        super().__init__(words, pid, status)
        self.stdin, self.stdout, self.stderr = pipes

    def __enter__(self) -> PipedProgram:
        return self

    def __exit__(self, *error: object) -> None:
        """As Popen's: what it still writes has no reader, and it is waited for."""
        for pipe in (self.stdout, self.stderr, self.stdin):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.wait()

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        with ThreadPoolExecutor(2) as readers:
            out, err = (pipe and readers.submit(pipe.read) for pipe in (self.stdout, self.stderr))
            if self.stdin is not None:
                with contextlib.suppress(BrokenPipeError), self.stdin:
                    if input:
                        self.stdin.write(input)
            try:
                self.wait(timeout)
            except BaseException:
                self._kill_family()  # else the readers never end
                raise
            return out and out.result(), err and err.result()

    def _kill_family(self) -> None:
        """It, and what it has started, which cannot be found once it is dead."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.pid).children(recursive=True)
            self.kill()
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


class ForkServer:
    """The process that forks them, and what is asked of it. Ends with the process of the tests, however that ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._read_at_start = read_at_start(environment)
        self._lock = threading.Lock()
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", SERVER, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def can_start(self, words: list[str], environment: Mapping[str, str]) -> bool:
        """Elsewhere than on Linux libraries of the system may not survive a fork without an exec."""
        known = sys.platform == "linux" and is_known(words)
        return known and read_at_start(environment) == self._read_at_start

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: tuple[int, int, int],
    ) -> ForkedProgram:
        status, theirs = os.pipe()
        text = json.dumps([list(words), str(folder), dict(environment)]).encode()
        try:
            with self._lock, open(theirs, "wb"):
                socket.send_fds(self._connection, [LENGTH.pack(len(text))], [*streams, theirs])
                self._connection.sendall(text)
            answer = os.read(status, NUMBER.size)  # of this request, whatever has interrupted an earlier one
            if not answer:
                raise ChildProcessError("the server of forked programs has ended")
        except BaseException:
            os.close(status)
            raise
        return ForkedProgram(words, NUMBER.unpack(answer)[0], status)

    def popen(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        streams: Sequence[int | IO[bytes]],
        *,
        text: bool = False,
    ) -> PipedProgram:
        """``streams``: as ``Popen`` takes standard input, output and error. ``text``: our ends of pipes are for text."""
        pipes: list[IO[Any] | None] = [None, None, None]
        theirs: list[int] = []
        with contextlib.ExitStack() as stack:
            for number, stream in enumerate(streams):
                if stream == subprocess.PIPE:
                    ends = os.pipe()
                    ours, its = (ends[1], ends[0]) if number == 0 else ends
                    mode = "wb" if number == 0 else "rb"
                    pipes[number] = (
                        os.fdopen(ours, mode[0], encoding="utf-8") if text else os.fdopen(ours, mode)
                    )
                    stack.callback(os.close, its)
                    theirs.append(its)
                elif stream == subprocess.STDOUT:
                    theirs.append(theirs[1])
                elif stream == subprocess.DEVNULL:
                    theirs.append(os.open(os.devnull, os.O_RDWR))
                    stack.callback(os.close, theirs[-1])
                else:
                    theirs.append(stream if isinstance(stream, int) else stream.fileno())
            stdin, stdout, stderr = theirs
            program = self.start(words, folder, environment, (stdin, stdout, stderr))
        return PipedProgram(words, program.pid, os.dup(program.status), pipes)

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        input: str | None,
        seconds: float,
    ) -> subprocess.CompletedProcess[str]:
        """As ``subprocess.run`` with captured text."""
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
        ):
            stdin.write((input or "").encode())
            stdin.seek(0)
            streams = stdin.fileno(), stdout.fileno(), stderr.fileno()
            program = self.start(words, folder, environment, streams)
            try:
                code = program.wait(seconds)
            finally:
                program.kill()
            return subprocess.CompletedProcess(words, code, _text(stdout), _text(stderr))

    def end(self) -> None:
        self._connection.close()
        self._process.wait(END_SECONDS)


def _text(file: IO[bytes]) -> str:
    """What has been written, with the line ends of text."""
    file.seek(0)
    return io.TextIOWrapper(io.BytesIO(file.read()), "utf-8").read()


@contextlib.contextmanager
def template_of_this_process() -> Iterator[None]:
    """Masters, workers and their children that the block itself starts are forked as well; from a process of their own, for this one is
    large and may have threads. Elsewhere than on Linux they are not."""
    if sys.platform != "linux":
        yield
        return
    connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", TEMPLATE, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    before = vars(subprocess)["_fork_exec"]
    setattr(subprocess, "_fork_exec", forking(connection, read_at_start(os.environ)))  # noqa: B010 - a name of Python's
    try:
        yield
    finally:
        setattr(subprocess, "_fork_exec", before)  # noqa: B010
        connection.close()
        process.wait(END_SECONDS)
