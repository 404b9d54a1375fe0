"""How a child's process is started, signalled and reaped: by this process, or as a copy of one that has imported modules before it.

::

    StartedProcess ─ exec ─► a child                            its death: a thread waits for it
    Preloaded ─ import, once ─► ForkedProcess ─ fork ─► a child  its death: reported by the template; when that is gone, all its copies are

Both are the same to ``process.ChildHandle``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from ...common.errors import ConfigError
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ...common.wire.frames import pack, unpack
from ..child.loading import import_failure
from ..child.output import STDERR
from ..child.template import DESCRIPTORS_MAX, MESSAGE_BYTES_MAX

FORK_SECONDS: Final = 20.0  # a template that has not forked in this time stands still
RESTART_SECONDS: Final = 1.0
KILLED: Final = -signal.SIGKILL


class Program(NamedTuple):
    """What a child is started with. ``passed``: descriptors, whose numbers are its first arguments. ``output``: its stdout and stderr."""

    module: str
    passed: Sequence[int]
    arguments: Sequence[str]
    output: int


class OneProcess(Protocol):
    pid: int

    def signal(self, number: int) -> None:
        """Called only until its death is known."""

    def when_dead(self, died: Callable[[], None]) -> None:
        """Have this called in the loop, once. Raises RuntimeError when there is no thread left for it."""

    def reap(self) -> tuple[int, int]:
        """Its exit code, negative for a signal, and the most memory it had, in the system's unit. It is dead."""

    def undo(self) -> None:
        """End it at once, and say nothing of its death."""


Start = Callable[[Program], OneProcess]


class StartedProcess:
    """Raises OSError when the system has no more processes."""

    def __init__(self, program: Program) -> None:
        self._loop = asyncio.get_running_loop()
        arguments = [str(os.getpid()), *map(str, program.passed), *program.arguments]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, started by our own interpreter
            [sys.executable, "-m", program.module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=program.output,
            stderr=program.output,
            # Only these: a descriptor of the master's connection in a child
            # would keep it open after the worker's death.
            pass_fds=program.passed,
        )
        self.pid = self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def when_dead(self, died: Callable[[], None]) -> None:
        threading.Thread(target=self._wait, args=(died,), name=f"tq-wait-{self.pid}", daemon=True).start()

    def _wait(self, died: Callable[[], None]) -> None:
        """In a thread: the one way to notice a death that works on every system."""
        # Not reaped here: until ``reap`` its number cannot be another process's, so a signal cannot hit a stranger.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the worker has ended
            self._loop.call_soon_threadsafe(died)

    def reap(self) -> tuple[int, int]:
        _, status, usage = os.wait4(self.pid, 0)
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        return code, usage.ru_maxrss

    def undo(self) -> None:
        self._process.kill()
        self._process.wait()


class ForkedProcess:
    """``handle``: its pidfd."""

    def __init__(self, pid: int, handle: int) -> None:
        self.pid, self._handle = pid, handle
        self._end = (KILLED, 0)
        self._died: Callable[[], None] = lambda: None

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has died, and that is on its way
            signal.pidfd_send_signal(self._handle, number)

    def when_dead(self, died: Callable[[], None]) -> None:
        self._died = died

    def ended(self, code: int, peak: int) -> None:
        """The template has reaped it, or is gone, and its copies with it."""
        self._end = code, peak
        self._died()

    def reap(self) -> tuple[int, int]:
        # Only now: a pidfd names this process and no other, even after its death.
        os.close(self._handle)
        return self._end

    def undo(self) -> None:
        self.signal(signal.SIGKILL)
        os.close(self._handle)
        self._died = lambda: None


class Preloaded:
    """The process that has imported ``modules``; started again when it dies."""

    def __init__(self, modules: Sequence[str], report: Callable[..., None]) -> None:
        self._modules, self._report = modules, report
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._copies: dict[int, ForkedProcess] = {}
        self._is_closed = False
        self._restarting: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Start it, and wait until it has imported them. Raises ConfigError when it cannot."""
        loop = asyncio.get_running_loop()
        control, process = self._start_process()
        control.setblocking(False)
        try:
            answer = await loop.sock_recv(control, MESSAGE_BYTES_MAX)
        except BaseException:
            control.close()
            raise
        match unpack(answer) if answer else None:
            case ["ready", int(threads)]:
                self._report(
                    "preload.ready", modules=",".join(self._modules), pid=process.pid, threads=threads
                )
            case [bool(known), str(text)]:
                control.close()
                raise import_failure(known, text)
            case _:
                control.close()
                raise ConfigError(
                    f"--preload {','.join(self._modules)}: the process that imports them died before it was ready"
                )
        self._control = control
        loop.add_reader(control, self._readable)

    def _start_process(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        # Messages stay whole, and descriptors come with the message that they were sent with.
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = [str(os.getpid()), str(theirs.fileno()), *self._modules]
            self._process = process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-m", "tq.worker.child.template", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=STDERR,
                pass_fds=(theirs.fileno(),),
            )
        return control, process

    def start(self, program: Program) -> ForkedProcess:
        """A copy of it that is this child. Raises OSError when there is none."""
        control = self._control
        if control is None:
            raise OSError("the process with the preloaded modules has died; it is started again")
        # Blocks the loop, for milliseconds as a rule: a fork is short, and children are started seldom.
        control.settimeout(FORK_SECONDS)
        try:
            order = pack([program.module, [*program.arguments]])
            socket.send_fds(control, [order], [*program.passed, program.output])
            while True:
                message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES_MAX, DESCRIPTORS_MAX)
                if not message:
                    raise OSError("the process with the preloaded modules has died; it is started again")
                match unpack(message):
                    case ["started", int(pid)]:
                        copy = self._copies[pid] = ForkedProcess(pid, descriptors[0])
                        return copy
                    case ["refused", str(why)]:
                        raise OSError(why)
                    case report:
                        # A death that came first; later, because the caller is about to start a child.
                        asyncio.get_running_loop().call_soon(self._reported, report)
        finally:
            control.setblocking(False)

    def close(self) -> None:
        """It ends, and with it what is left of its copies."""
        self._is_closed = True
        if self._restarting is not None:
            self._restarting.cancel()
        self._hang_up()

    @contained
    def _readable(self) -> None:
        control = self._control
        if control is None:
            return
        try:
            message = control.recv(MESSAGE_BYTES_MAX)
        except BlockingIOError:
            return
        if message:
            self._reported(unpack(message))
            return
        self._hang_up()
        copies, self._copies = self._copies, {}
        for copy in copies.values():
            # Their parent is gone, and with it what would report their deaths.
            copy.signal(signal.SIGKILL)
            copy.ended(KILLED, 0)
        if not self._is_closed:
            self._report("preload.died", level="error", copies=len(copies))
            self._restarting = asyncio.get_running_loop().create_task(self._restart())

    @contained
    def _reported(self, report: Any) -> None:
        match report:
            case ["died", int(pid), int(code), int(peak)] if pid in self._copies:
                self._copies.pop(pid).ended(code, peak)

    def _hang_up(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            # Reaped, or it would stay as a zombie.
            self._process.wait()
            self._process = None

    async def _restart(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            try:
                await self.load()
            except (ConfigError, OSError) as error:  # the code may have changed since the start
                self._report("preload.not_started", level="error", reason=str(error))
            else:
                return

    def broke(self, error: Exception) -> None:
        report_bug(self._report, error, WORKER)
