"""``tq-master --web``: the page as a program of its own, which the master starts and starts again.

::

    start ──► "the page is at …" ──► it ends ──► pause, doubled each time up to PAUSE_SECONDS_MAX ──► start

The page is a client: it has a process, a memory and a niceness of its own, no key of the master, and no file of it. It may die, hang
or use all the time it gets; nothing here waits for it but one task of the loop. It ends with the master, however that ends. That it
does not run is reported once, and again only when it has run well in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from ...common.runtime.cleaning import clean_line
from ...common.wire.address import Address

PAUSE_SECONDS: Final = 1.0
PAUSE_SECONDS_MAX: Final = 60.0
WELL_SECONDS: Final = 60.0  # one that ran so long was well: its end is reported
END_SECONDS: Final = 3.0  # from SIGTERM to SIGKILL
NICENESS: Final = 10  # the master goes first when there is too little time for both
READ_BYTES: Final = 64 * 1024
LISTENING: Final = "the page is at "


class Report(Protocol):
    def __call__(self, action: str, *, level: str = ..., **fields: Any) -> object: ...


class PageProgram:
    """``master``: where this master listens. ``program``: what ``python -m`` starts, with its first words."""

    def __init__(
        self,
        bind: Address,
        master: Address,
        report: Report,
        program: tuple[str, ...] = ("tq.client.cli", "web"),
    ) -> None:
        self._report = report
        self._words = [*program, "--bind", str(bind), "--url", f"tq://{reached(master)}"]
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._said = ""  # what it said last to its stderr
        self._is_reported = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tq page")

    async def end(self) -> None:
        """Ask it to end, and wait a moment. Killed with this process at the latest."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run(self) -> None:
        pause = PAUSE_SECONDS
        while True:
            began = time.monotonic()
            why = await self._run_once()
            if time.monotonic() - began > WELL_SECONDS:
                pause, self._is_reported = PAUSE_SECONDS, False
            if not self._is_reported:
                self._is_reported = True
                self._report("page.ended", level="warning", reason=why)
            await asyncio.sleep(pause)
            pause = min(PAUSE_SECONDS_MAX, 2 * pause)

    async def _run_once(self) -> str:
        """Until it ends; why it did."""
        self._said = ""
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "tq.common.runtime.parent_death", str(os.getpid())),
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment(os.environ),
                cwd=Path.home().anchor or "/",  # nothing that is found beside the master is meant
                start_new_session=True,  # Ctrl-C reaches the master, which ends it
            )
        except OSError as error:  # no memory, no process, no descriptor left: it is tried again
            return f"it could not be started: {error.strerror or error}"
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        await asyncio.gather(self._read(process.stdout), self._read(process.stderr))
        status = await process.wait()
        return self._said or (f"killed by signal {-status}" if status < 0 else f"it ended with {status}")

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        """What it says, in bounded pieces: it must never wait for us, nor we keep more than a line of it."""
        rest = b""
        while stream is not None and (data := await stream.read(READ_BYTES)):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-READ_BYTES:]
            for line in lines:
                self._hear(clean_line(line.decode("utf-8", "replace")).strip())

    def _hear(self, line: str) -> None:
        if line.startswith(LISTENING):
            self._report("page.started", address=line.removeprefix(LISTENING))
        elif line and not line.startswith(("see: ", "Ctrl-C")):
            self._said = line[:500].removeprefix("tq: ")


def reached(address: Address) -> Address:
    """The address under which this machine itself reaches a master that listens there."""
    return Address("127.0.0.1", address.port) if address.host in ("0.0.0.0", "::", "") else address  # noqa: S104 - compared with


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Without the settings and keys of the master: the page has none."""
    return {
        **{name: text for name, text in ours.items() if not name.startswith("TQ_")},
        "PYTHONUNBUFFERED": "1",
    }
