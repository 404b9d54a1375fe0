"""Running programs: one task a command. ``tq-worker --connect … --allow-shell``; submitted by ``tq exec``.

Every client that may submit to a worker started with ``--allow-shell`` can run any program as that worker's user.
Without that switch no worker serves this module, even if its settings name it (docs/security.md).

A command is a list of words, run without a shell. It gets no input, a session and process group of its own, and
the worker's environment. At a time limit, a cancel or its end its whole group is ended: SIGTERM, then SIGKILL. Its output
is kept up to a bound: the beginning and the end.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Final

import tq

OUTPUT_BYTES_MAX: Final = 1024 * 1024  # kept of stdout, and as much of stderr
READ_BYTES: Final = 64 * 1024
TERM_SECONDS: Final = 1.5  # from SIGTERM to SIGKILL; less than a worker's kill_grace_seconds
LOOK_SECONDS: Final = 0.02  # between two looks whether a command has ended, where the system has no other way
NOT_FOUND, NOT_EXECUTABLE, SIGNALLED = 127, 126, 128  # exit codes as shells have them
PR_SET_PDEATHSIG: Final = 1

app = tq.App()


class CommandFailed(Exception):
    """A command ended with an exit code other than 0. ``tq_detail`` becomes ``TaskError.detail``."""

    def __init__(self, message: str, result: dict[str, Any]) -> None:
        super().__init__(message)
        self.tq_detail = result


@app.task
def run(
    command: Sequence[str | bytes], *, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a program on the worker, without a shell.

    Args:
        command: The program and its arguments.
        cwd: Directory in which it runs; by default the worker's.
        env: Variables besides the worker's own.

    Returns:
        ``{"exit_code": 0, "stdout": bytes, "stderr": bytes}``.

    Raises:
        CommandFailed: It ended with another exit code; of one that a signal ended that is 128 + the signal's number.
    """
    words = [os.fsencode(word) for word in command]
    if not words:
        raise tq.Discard("a command is a list of one word or more")
    try:
        running = _Command(words, cwd, env)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        result = {"exit_code": code, "stdout": b"", "stderr": b""}
        raise CommandFailed(f"cannot start it: {error.strerror}: {error.filename!r}", result) from None
    code = running.wait()
    stdout, stderr = running.stdout.kept(), running.stderr.kept()
    result = {"exit_code": code if code >= 0 else SIGNALLED - code, "stdout": stdout, "stderr": stderr}
    if code != 0:
        how = f"exit status {code}" if code > 0 else f"killed by {_signal_name(-code)}"
        raise CommandFailed(how + _last_words(stderr), result)
    return result


class Kept:
    """The beginning and the end of a stream, ``bytes_max`` in all."""

    def __init__(self, bytes_max: int) -> None:
        self._half = bytes_max // 2
        self._head, self._tail, self._size = bytearray(), bytearray(), 0

    def put(self, data: bytes) -> None:
        self._size += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > 2 * self._half:  # cut now and then: each byte is moved once or twice
            del self._tail[: -self._half]

    def kept(self) -> bytes:
        tail = bytes(self._tail[-self._half :])
        left_out = self._size - len(self._head) - len(tail)
        note = f"\n… {left_out:,} bytes left out …\n".encode() if left_out else b""
        return bytes(self._head) + note + tail


class _PutOff:
    """A signal whose handler waits until ``end``. The handler is replaced, not the signal blocked: what the main thread blocks, the
    kernel gives to another thread, and Python calls the handler in the main thread all the same. Only that one has handlers: for a
    task in another thread nothing is put off."""

    def __init__(self, number: signal.Signals) -> None:
        self._number, self._has_come = number, False
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._before = signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self._has_come = True

    def end(self) -> None:
        """From now on its handler is called; at once if it has come meanwhile."""
        if self._is_main:
            self._is_main = False
            signal.signal(self._number, self._before)
            if self._has_come:
                signal.raise_signal(self._number)


class _Command:
    """A started command: its process, which leads its own process group, and its output so far."""

    def __init__(self, words: list[bytes], cwd: str | None, env: Mapping[str, str] | None) -> None:
        self.stdout, self.stderr = Kept(OUTPUT_BYTES_MAX), Kept(OUTPUT_BYTES_MAX)
        # A time limit that is raised before the process is waited for would leave it without an owner.
        self._strikes = _PutOff(signal.SIGUSR1)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what this module is for, and allowed by the operator
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=_prepare(os.getpid()),
            )
        except BaseException:
            self._strikes.end()
            raise

    def wait(self) -> int:
        """Wait for its exit code, as subprocess has it. Its group is ended afterwards, also when this raises."""
        try:
            self._strikes.end()
            self._follow(None)
        except BaseException:  # a time limit, a cancel
            self._signal(signal.SIGTERM)
            self._follow(time.monotonic() + TERM_SECONDS)
            raise
        finally:
            self._end()
        return self._process.returncode

    def _follow(self, deadline: float | None) -> None:
        """Read its output until it has ended or the deadline has passed."""
        with selectors.DefaultSelector() as selector:
            ended = _end_descriptor(self._process.pid)
            try:
                if ended is not None:
                    selector.register(ended, selectors.EVENT_READ)
                for pipe, kept in ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr)):
                    if pipe is not None and not pipe.closed:
                        os.set_blocking(pipe.fileno(), False)
                        selector.register(pipe, selectors.EVENT_READ, kept)
                while not self._has_ended() and (deadline is None or time.monotonic() < deadline):
                    rest = LOOK_SECONDS if deadline is not None or ended is None else None
                    self._take(selector, selector.select(rest))
                self._take(selector, selector.select(0))
            finally:
                if ended is not None:
                    os.close(ended)

    @staticmethod
    def _take(selector: selectors.BaseSelector, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _ in ready:
            if key.data is not None and not _drain(key.fileobj, key.data):  # type: ignore[arg-type]
                selector.unregister(key.fileobj)

    def _has_ended(self) -> bool:
        """Whether it has ended; does not reap it: until the leader is reaped, the kernel gives its process id to no other process."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    def _end(self) -> None:
        """Kill the rest of its group."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe, kept in ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr)):
            if pipe is not None:
                _drain(pipe, kept)
                pipe.close()

    def _signal(self, number: int) -> None:
        # all of it may have ended; macOS says so of a group of ended processes by EPERM
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _drain(pipe: IO[bytes], kept: Kept) -> bool:
    """Read all bytes in the pipe; False at its end."""
    while True:
        try:
            data = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        kept.put(data)
        if len(data) < READ_BYTES:
            return True


def _end_descriptor(pid: int) -> int | None:
    """A descriptor that is readable once the process has ended; Linux has it."""
    try:
        return os.pidfd_open(pid) if sys.platform == "linux" else None
    except OSError:
        return None


def _prepare(worker: int) -> Callable[[], None]:
    """What the new process does before it becomes the command: it has no locks of ours to wait for."""
    prctl: Any = None
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the worker's processes ignore it
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # with the worker's process dies its command
            if os.getppid() != worker:
                os._exit(SIGNALLED)

    return prepare


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(stderr: bytes) -> str:
    """The last line of stderr is, as a rule, the reason."""
    lines = stderr.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:200]}" if last else ""
