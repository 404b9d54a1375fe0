"""One run of ``tq dev``: a master, a worker, and new code whenever a file changes.

::

    files ──look──► DevSession ──SIGTERM, start──► tq-worker ──stderr: events; pipe: ended tasks──► DevScreen
                       └──────start again─────► tq-master ──stderr: events─────────────────────►

New code needs a new worker: the old one finishes its running tasks (a task that takes longer than the grace is returned
and runs again), and no other task starts with old code. If the new code cannot be imported, the cluster runs without a
worker until the next change. Both programs end with ``tq dev``, even if it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ....common.errors import ConfigError
from ....common.runtime.sources import Sources, differences
from ....common.version import VERSION
from ....common.wire.address import DEFAULT_PORT
from .home import StateDirectory
from .page import DevPage
from .ports import free_port
from .process import Process
from .screen import DevScreen

LOOK_SECONDS: Final = 0.3
LOOK_SHARE: Final = 0.05  # the largest share of time spent on checking files
SETTLE_SECONDS: Final = 0.05  # an editor may write twice: a change counts when two checks agree
RELOAD_GRACE_SECONDS: Final = 3.0  # tasks that run longer are returned and start again with the new code
REVIVE_SECONDS: Final = (0.2, 10.0)  # before a program that died is started again; doubled each time
WELL_SECONDS: Final = 10.0  # a program that ran this long counts as healthy
MASTER_SECONDS: Final = 10.0  # for a master to end in order
COMPLAINT_LINES_MAX: Final = 60
# Settings from outside must not redirect our own master and worker.
NOT_INHERITED: Final = frozenset(
    f"TQ_{name}"
    for name in [
        "URL",
        "AUTHKEY",
        "AUTHKEY_FILE",
        "BIND",
        "CONNECT",
        "DATA",
        "CONFIG",
        "MODULES",
        "CA_FILE",
        "CERTIFICATE_FILE",
        "CLIENT_CA_FILE",
        "DURABILITY",
        "HTTP",
        "WEB",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "SLOTS",
    ]
)


class DevSession:
    def __init__(
        self,
        home: StateDirectory,
        screen: DevScreen,
        modules: Sequence[str],
        slots: int | None,
        *,
        with_page: bool,
    ) -> None:
        self._home, self._screen, self._modules, self._slots = home, screen, modules, slots
        files = [Path(one) for one in modules if one.endswith(".py")]
        self._sources = Sources(Path.cwd(), files)
        # Before the worker starts: a change while it imports is a change.
        self._seen = self._sources.look()
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._master: Process | None = None
        self._worker: Process | None = None
        self._page = DevPage(home, screen.say_below) if with_page else None
        self._url = ""
        self._serving = False
        self._welcomed = False  # the banner was shown
        self._started = 0.0  # the worker, on the monotonic clock
        self._changed: list[str] = []  # the changed files that the new worker is for
        self._complaints: deque[str] = deque(maxlen=COMPLAINT_LINES_MAX)
        self._complained = ""
        self._revive_at: float | None = None
        self._revive_seconds = REVIVE_SECONDS[0]
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, port: int | None) -> int:
        """Run until it is stopped; returns the exit status. Raises ConfigError when the master cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)
        work = asyncio.create_task(self._work(port))
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stopped):
            task.cancel()
        results = await asyncio.gather(work, stopped, return_exceptions=True)
        await self._finish()
        if isinstance(results[0], Exception):
            raise results[0]
        return 1 if self._hurry.is_set() else 0

    def _signalled(self, number: int) -> None:
        """Stop in order at Ctrl-C; at once at a second one, or when the terminal is closed."""
        if self._stop.is_set() or number == signal.SIGHUP:
            self._hurry.set()
        self._stop.set()

    async def _work(self, port: int | None) -> None:
        await self._start_first_master(port)
        await self._start_worker()
        if self._page is not None:
            await self._page.start(self._url, _environment())
        while True:
            began = time.monotonic()
            changed = await self._look()
            # A large directory is looked at less often.
            wait = max(LOOK_SECONDS, (time.monotonic() - began) / LOOK_SHARE)
            if changed:
                await self._reload(changed)
            elif self._worker is None and self._revive_at is not None and began >= self._revive_at:
                await self._start_worker()
            living = [one.ended for one in (self._master, self._worker) if one is not None]
            await asyncio.wait(living, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if self._worker is not None and self._worker.ended.done():
                self._worker_ended(self._worker.ended.result())
            if self._master is not None and self._master.ended.done():
                await self._revive_master(self._master.ended.result())

    async def _finish(self) -> None:
        # First: a program that starts now must not find a master that ends.
        self._home.withdraw()
        if self._page is not None:
            await self._page.end(self._hurry)
        if self._worker is not None:
            if not self._worker.ended.done():
                self._screen.say("dev", "finishing running tasks; Ctrl-C again ends them at once")
            await self._worker.end(hurry=self._hurry)
        if self._master is not None:
            await self._master.end(hurry=self._hurry, grace_seconds=MASTER_SECONDS)
        if self._url:
            again = " ".join(["tq dev", *self._modules])
            self._screen.say("dev", f"stopped; what is queued is kept in ./.tq. next: {again}")

    # the master

    async def _start_first_master(self, port: int | None) -> None:
        if port is not None:
            await self._start_master(f"127.0.0.1:{port}")
            return
        usual = free_port(DEFAULT_PORT)
        try:
            await self._start_master(f"127.0.0.1:{usual}")
        except ConfigError:
            # The port was not the reason: it is still free.
            if not usual or free_port(usual):
                raise
            await self._start_master("127.0.0.1:0")  # another program took the port while our master started

    async def _start_master(self, address: str) -> None:
        self._listening = asyncio.get_running_loop().create_future()
        complaints: deque[str] = deque(maxlen=COMPLAINT_LINES_MAX)

        def on_line(stream: str, line: str) -> None:
            record = _record(line) if stream == "err" else None
            if record is None:
                complaints.append(line)
            elif record.get("action") == "master.started" and not self._listening.done():
                self._listening.set_result(str(record["address"]))
            else:
                self._screen.event("master", record)

        arguments = ["--bind", address, "--data", str(self._home.state), "--log-format", "json"]
        self._master = await Process.start("tq.master.cli", arguments, _environment(), on_line)
        either: set[asyncio.Future[Any]] = {self._listening, self._master.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._listening.done():
            said = "\n".join(line.removeprefix("tq-master: ") for line in complaints)
            raise ConfigError(f"the master did not start: {said or 'it said nothing'}")
        self._url = f"tq://{self._listening.result()}"
        self._home.announce(self._url)

    async def _revive_master(self, status: int) -> None:
        self._screen.say("master", f"{_death(status)}; starting it again, nothing is lost", "bold red")
        await asyncio.sleep(REVIVE_SECONDS[0])
        await self._start_master(self._url.removeprefix("tq://"))

    # the worker

    async def _start_worker(self) -> None:
        self._serving, self._revive_at = False, None
        self._complaints.clear()
        self._started = time.monotonic()
        arguments = ["--connect", self._url.removeprefix("tq://"), "--log-format", "json"]
        arguments += ["--authkey-file", str(self._home.state / "worker.key")]
        if self._slots is not None:
            arguments += ["--slots", str(self._slots)]
        self._worker = await Process.start(
            "tq.worker.cli",
            [*arguments, "--", *self._modules],
            # Written byte code is known by its second and size: an edit within a second would not be seen.
            {**_environment(), "PYTHONDONTWRITEBYTECODE": "1"},
            self._worker_says,
            event_pipe="TQ_EVENT_PIPE",
        )

    def _worker_says(self, stream: str, line: str) -> None:
        record = None if stream == "out" else _record(line)
        match record:
            case None if stream == "err" and line.startswith("tq-worker: "):
                self._complaints.append(line.removeprefix("tq-worker: "))
            case None:
                self._screen.printed("worker", line)
            case {"action": "worker.serves"}:
                self._serves(record)
            case {"action": "task.ended"}:
                self._screen.task(record)
            case {"action": "task.more"}:
                self._screen.more(record["count"], record["failed"])
            case {"action": "child.import_failed"}:
                self._cannot_import(str(record.get("error")))
            case {"action": "worker.disconnected" | "worker.waiting"} if (
                self._master is None or self._master.ended.done()
            ):
                pass  # the master has died, which is reported elsewhere
            case _:
                self._screen.event("worker", record)

    def _serves(self, record: Mapping[str, Any]) -> None:
        self._serving, self._complained = True, ""
        names = list(record["tasks"])
        if not self._welcomed:
            self._welcome(names, record["count"])
        elif self._changed:
            seconds = time.monotonic() - self._started
            self._screen.say("dev", f"new code serves after {seconds:.1f} s", "green")
        self._changed = []

    def _worker_ended(self, status: int) -> None:
        """The worker ended without a request from us."""
        self._worker = None
        if not self._serving and self._complaints:  # it has reported the reason, and only new code helps
            lines = [line for line in self._complaints if not line.startswith("see: ")]
            self._cannot_import("\n".join(lines))
            return
        if status == 0:
            self._screen.say("worker", "ended because it was drained; save a file to start it again")
            return
        lived = time.monotonic() - self._started
        first, longest = REVIVE_SECONDS
        self._revive_seconds = first if lived > WELL_SECONDS else min(longest, self._revive_seconds * 2)
        self._revive_at = time.monotonic() + self._revive_seconds
        self._screen.say("worker", f"{_death(status)}; starting it again", "bold red")

    def _cannot_import(self, text: str) -> None:
        """Report it once; the cluster keeps running, and the next change is the next try."""
        title, _, rest = text.partition("\n")
        if title.startswith((" ", "Traceback")):
            title, rest = "your code could not be imported", text
        if not self._welcomed:
            self._welcome([], 0)
        # The same traceback again would hide the first lines above it.
        if text == self._complained:
            self._screen.say("worker", "✗ the same error; waiting for the next change", "red")
            return
        self._complained = text
        self._screen.trouble("worker", title.rstrip(":"), rest)
        self._screen.say("dev", "tasks wait until a change makes it work; they are not lost", "dim")

    # code

    async def _look(self) -> list[str]:
        """The files that have changed since the last time, once they no longer change."""
        now = self._sources.look()
        if now == self._seen:
            return []
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            then, now = now, self._sources.look()
            if then == now:
                break
        before, self._seen = self._seen, now
        return differences(before, now)

    async def _reload(self, changed: list[str]) -> None:
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
        self._screen.say("dev", f"{', '.join(map(os.path.relpath, changed[:2]))}{more} changed")
        self._changed = changed
        if self._worker is not None:
            worker, began = self._worker, time.monotonic()
            await worker.end(
                hurry=self._hurry, grace_seconds=RELOAD_GRACE_SECONDS if self._serving else LOOK_SECONDS
            )
            if time.monotonic() - began > RELOAD_GRACE_SECONDS and self._serving:
                self._screen.say(
                    "dev", "tasks that still ran were returned: they run again with the new code"
                )
        await self._start_worker()

    def _welcome(self, names: list[str], count: int) -> None:
        self._welcomed = True
        shown = " ".join(names[:4]) + (f" … {count} in all" if count > 4 else "")
        facts = [("master", f"{self._url}, state and keys in ./.tq"), ("serves", shown or "nothing yet")]
        if self._sources.is_cut:
            facts.append(("watches", "the nearest files only: there are very many here"))
        facts += [("next", _next(self._modules, names)), ("", "in a second terminal, in this directory")]
        facts.append(("stop", "Ctrl-C"))
        self._screen.banner(f"tq dev {VERSION}: {' '.join(self._modules)}", facts)


def _next(modules: Sequence[str], names: list[str]) -> str:
    """The command to try next: the file itself, if it does something when it is run, else a submit."""
    for name in modules:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if name.endswith(".py") and "__main__" in Path(name).read_text("utf-8"):
                return f"python {name}"
    return f"tq submit {names[0] if names else 'module:function'} … --wait"


def _environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**ours, "PYTHONUNBUFFERED": "1"}


def _record(line: str) -> dict[str, Any] | None:
    """A line of a log as the record that it is."""
    if not line.startswith('{"'):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "action" in record else None


def _death(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def start(
    modules: Sequence[str], slots: int | None, port: int | None, *, fresh: bool, with_page: bool
) -> int:
    """Run here until stopped; the exit status."""
    folder = Path.cwd()
    with StateDirectory(folder) as home:
        screen = DevScreen(str(folder))
        if fresh and home.forget():
            screen.say("dev", "the earlier state in ./.tq was deleted")

        async def main() -> int:
            return await DevSession(home, screen, modules, slots, with_page=with_page).run(port)

        with asyncio.Runner() as runner:
            return runner.run(main())
