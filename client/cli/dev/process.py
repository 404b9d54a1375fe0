"""One of tq's programs as a child of ``tq dev``: started with a parent-death guard, read line by line, ended in three
steps."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

READ_BYTES: Final = 64 * 1024
KILL_SECONDS: Final = 3.0  # from a second SIGTERM to SIGKILL

OnLine = Callable[[str, str], None]  # which stream: "out", "err" or "event_pipe"; the line


class Process:
    """A started program. ``ended`` completes with its exit status when it has ended and all its output is read."""

    def __init__(self, process: asyncio.subprocess.Process, readers: Sequence[asyncio.Task[None]]) -> None:
        self._process = process
        self.pid = process.pid
        self.ended = asyncio.create_task(self._end(readers))

    @classmethod
    async def start(
        cls,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        on_line: OnLine,
        *,
        event_pipe: str | None = None,
    ) -> Process:
        """``python -m module``. ``event_pipe``: the variable that names the descriptor of a further pipe."""
        environment = dict(environment)
        passed: tuple[int, ...] = ()
        if event_pipe is not None:
            reader, writer = os.pipe()
            environment[event_pipe], passed = str(writer), (writer,)
        try:
            process = await asyncio.create_subprocess_exec(
                # -P: files in the user's directory must not shadow modules of Python in these programs
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "tq.common.runtime.parent_death",
                    str(os.getpid()),
                    module,
                    *arguments,
                ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                pass_fds=passed,
                start_new_session=True,  # Ctrl-C reaches tq dev only, which stops them in order
            )
        finally:
            for descriptor in passed:
                # Ours of the write end: it would keep the reader from seeing the end.
                os.close(descriptor)
        streams = {"out": process.stdout, "err": process.stderr}
        if event_pipe is not None:
            streams["event_pipe"] = await _reader(reader)
        return cls(process, [asyncio.create_task(_read(one, name, on_line)) for name, one in streams.items()])

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    async def end(self, *, hurry: asyncio.Event, grace_seconds: float | None = None) -> int:
        """Send SIGTERM, so that it finishes its work; after the grace, or in a hurry, a second one; then SIGKILL."""
        self.terminate()
        hurried = asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait(
                {self.ended, hurried}, timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hurried.cancel()
        if not self.ended.done():
            self.terminate()
            await asyncio.wait({self.ended}, timeout=KILL_SECONDS)
        # Does nothing if it has ended.
        self._signal(signal.SIGKILL)
        return await self.ended

    def _signal(self, number: int) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _end(self, readers: Sequence[asyncio.Task[None]]) -> int:
        status = await self._process.wait()
        # A process that a task left behind may keep the pipes open: do not wait for it.
        await asyncio.wait(readers, timeout=0.5)
        for reader in readers:
            reader.cancel()
        return status


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader


async def _read(stream: asyncio.StreamReader | None, name: str, on_line: OnLine) -> None:
    """Line by line; a very long one in pieces."""
    rest = b""
    while stream is not None and (data := await stream.read(READ_BYTES)):
        *lines, rest = (rest + data).split(b"\n")
        # A program that prints without line ends must not fill memory.
        if len(rest) > READ_BYTES:
            lines.append(rest)
            rest = b""
        for line in lines:
            on_line(name, line.decode("utf-8", "replace"))
    if rest:
        on_line(name, rest.decode("utf-8", "replace"))
