"""``tq-master --processes N``: guards N processes of this host, each of which hosts a part of the shards.

::

    start ─► all shards made, if they are not ─► process 0 ─► it listens ─► the others ─► they listen ─► banner
    one ends ──► pause, doubled each time up to PAUSE_SECONDS_MAX ──► started again: its shards, and no others, were away
    one lives and gives no sign of it ──► killed (``process_signs.py``), and so on as above
    SIGTERM  ──► to each; this one ends with the last of them

It opens no store while they run, and has no port. A process is killed with it, however it ends. What it means that one ends with
CANNOT_START, and says why:

===========================  ===================================================================================================
it has not listened before   what was asked for is wrong: all end with its reason
it listens                   it must not go on (its certificate is revoked), and neither may the others: all end with its reason
it listened in an earlier    its port is taken, or its store refused: that is mended by people, and meanwhile the others go on. It is
run                          tried again; the reason is said once
===========================  ===================================================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

from ..common.errors import ConfigError
from ..common.runtime.config import MasterSettings
from ..common.runtime.end_signals import on_end_signals
from ..common.runtime.sd_notify import Notifier
from ..common.wire.address import Address
from .addresses import advertised
from .app import Opening, open_resources
from .net.ports import why_not_listening
from .process_bells import BellPipes
from .process_place import VARIABLE, ProcessPlace
from .process_signs import LOOK_SECONDS, SILENT_SECONDS_MAX, MissedSigns, SignSocket, is_stopped
from .process_signs import VARIABLE as SIGNS_VARIABLE
from .store import shard_files
from .store.cluster_files import DEFAULT_START, STORE_FILE, StartOptions
from .store.sqlite.inspection import read_cluster

# The line by which a process says so, behind what it says to people
LISTENS: Final = "tq-master process listens"
REFUSES: Final = "tq-master process cannot: "  # behind it, as JSON, the lines that say why
CANNOT_START: Final = 2  # the exit status of a program that says why
ENDED_AT_ONCE: Final = 1  # of one that a second signal cut short
PAUSE_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 60.0
WELL_SECONDS: Final = 60.0  # one that ran so long was well: the next pause is short again
READ_BYTES: Final = 64 * 1024
NOTIFY_SECONDS: Final = 1.0

Report = Callable[..., object]
PROGRAM: Final = ("tq.master.cli",)  # what ``python -m`` starts


def make_shards(
    settings: MasterSettings, authkey: str | None, start: StartOptions, report: Callable[..., None]
) -> None:
    """Before the first process: each shard is there, and there is one for each process. What the options of a start confirm is done here,
    once. Raises ConfigError."""
    where, processes = settings.data / STORE_FILE, settings.processes
    cluster = read_cluster(where)
    if cluster is None:
        count = settings.shards or 1
    else:
        count = shard_files.read_number(cluster.meta.get(shard_files.SHARDS), str(where))
        shard_files.check_number(count, settings.shards, str(where))
    if processes > count:
        how = (
            f"{where} has {count}"
            if cluster is not None
            else "say how many at the first start, e.g. --shards 16"
        )
        raise ConfigError(f"--processes {processes} needs a cluster of at least as many shards: {how}")
    if cluster is None or start != DEFAULT_START or not shard_files.is_complete(cluster.meta):
        open_resources(Opening(settings, authkey, report, start)).close()


def places_of(settings: MasterSettings) -> list[ProcessPlace]:
    """Where each process will be. Ports that the system is to choose are found by binding them all, for a moment."""
    bind, count = settings.bind, settings.processes
    if bind.port:
        ports = tuple(range(bind.port, bind.port + count))
        if ports[-1] > 65_535:
            raise ConfigError(
                f"--bind {bind}: {count} processes need the ports up to {ports[-1]}, and there are none above 65535"
            )
    else:
        ports = _free_ports(bind, count)
    first = advertised(settings, ports[0])
    addresses = tuple(str(Address(first.host, first.port + port - ports[0])) for port in ports)
    return [ProcessPlace(number, ports, addresses) for number in range(count)]


def _free_ports(bind: Address, count: int) -> tuple[int, ...]:
    with ExitStack() as stack:
        found = []
        try:
            for _ in range(count):
                family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
                probe = stack.enter_context(socket.create_server((bind.host, 0), family=family))
                found.append(int(probe.getsockname()[1]))
        except OSError as error:
            raise ConfigError(why_not_listening(bind, error)) from error
        return tuple(found)


class ShardProcess:
    """One process, started again when it ends. ``words``: of its command line."""

    def __init__(
        self,
        place: ProcessPlace,
        words: Sequence[str],
        environment: Mapping[str, str],
        report: Report,
        complain: Callable[[str], object],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.place, self._report, self._complain = place, report, complain
        self._words = [*program, *words]
        self._environment = {**environment, VARIABLE: place.variable()}
        self._process: asyncio.subprocess.Process | None = None
        self._ending, self._listened = asyncio.Event(), False  # the latter of this run
        self._said: list[str] = []
        self._refusal: list[str] = []  # of this run
        # What it said to people first
        self.listens: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        """Until it has ended in order, cannot start or must not go on; its exit status. That is 0 where it was away when it was to end."""
        pause, known = PAUSE_SECONDS, list[str]()
        while True:
            began = time.monotonic()
            status = await self._run_once()
            if self._ending.is_set():
                return status
            if status == CANNOT_START and (self._listened or not self.listens.done()):
                for line in self._refusal:
                    self._complain(line)
                return status
            if time.monotonic() - began > WELL_SECONDS:
                pause = PAUSE_SECONDS
            if not self._refusal or self._refusal != known:
                self._say_why(status, pause)
            known = self._refusal
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)
                return 0
            pause = min(PAUSE_SECONDS_MAX, 2 * pause)

    def _say_why(self, status: int, pause: float) -> None:
        if self._refusal:
            self._report(
                "process.refused",
                level="error",
                process=self.place.number,
                reason="; ".join(self._refusal),
                pause_seconds=pause,
            )
            return
        self._report(
            "process.ended",
            level="error",
            process=self.place.number,
            reason=f"killed by signal {-status}" if status < 0 else f"it ended with {status}",
            pause_seconds=pause,
        )

    async def _run_once(self) -> int:
        self._said.clear()
        self._listened, self._refusal = False, []
        try:
            signs = SignSocket()
        except OSError as error:
            return self._not_started(error)
        try:
            return await self._run_with(signs)
        finally:
            signs.close()

    async def _run_with(self, signs: SignSocket) -> int:
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "tq.common.runtime.parent_death", str(os.getpid())),
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                env={**self._environment, SIGNS_VARIABLE: str(signs.descriptor)},
                pass_fds=(signs.descriptor, *(() if self.place.bells is None else self.place.bells.all)),
                start_new_session=True,  # Ctrl-C reaches the guard, which ends it
            )
            signs.started()
        except OSError as error:
            return self._not_started(error)
        # Asked to end while it was being started.
        if self._ending.is_set():
            self._signal(process.terminate)
        watch = asyncio.create_task(self._watch(process, signs))
        try:
            await self._read(process.stdout)
            return await process.wait()
        finally:
            watch.cancel()

    def _not_started(self, error: OSError) -> int:
        """No memory, no process, no descriptor left: it is tried again."""
        self._report("process.not_started", level="error", process=self.place.number, error=str(error))
        return ENDED_AT_ONCE

    async def _watch(self, process: asyncio.subprocess.Process, signs: SignSocket) -> None:
        missed, was_stopped = MissedSigns(), False
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            stopped = is_stopped(process.pid)
            if stopped and not was_stopped:
                self._report("process.stopped", level="warning", process=self.place.number, pid=process.pid)
            was_stopped = stopped
            if missed.look(has_come=signs.has_come(), is_stopped=stopped) and not self._ending.is_set():
                self._report(
                    "process.silent",
                    level="error",
                    process=self.place.number,
                    pid=process.pid,
                    seconds=SILENT_SECONDS_MAX,
                )
                self._signal(process.kill)
                return

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        """What it says, in bounded pieces: it must never wait for us."""
        rest = b""
        while stream is not None and (data := await stream.read(READ_BYTES)):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-READ_BYTES:]
            for line in lines:
                self._hear(line.decode("utf-8", "replace"))

    def _hear(self, line: str) -> None:
        self._listened |= line == LISTENS
        if line.startswith(REFUSES):
            self._refusal = [str(one) for one in json.loads(line.removeprefix(REFUSES))]
        elif self.listens.done():
            if line == LISTENS:
                self._report("process.back", process=self.place.number)
        elif line == LISTENS:
            self.listens.set_result(self._said)
        else:
            self._said.append(line)

    def end(self) -> None:
        """Ask it to end, once: the second time it would not finish what is under way."""
        if self._ending.is_set():
            return
        self._ending.set()
        if self._process is not None:
            self._signal(self._process.terminate)

    def kill(self) -> None:
        self._ending.set()
        if self._process is not None:
            self._signal(self._process.kill)

    def _signal(self, send: Callable[[], None]) -> None:
        with contextlib.suppress(ProcessLookupError):
            send()


class ProcessGuard:
    """``say``: to people, on stdout; ``complain``: on stderr. ``words``: the command line of each process."""

    def __init__(
        self,
        places: Sequence[ProcessPlace],
        words: Sequence[str],
        environment: Mapping[str, str],
        report: Report,
        say: Callable[[str], object],
        complain: Callable[[str], object],
        notifier: Notifier,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._bells = BellPipes(len(places))
        self._processes = [
            ShardProcess(
                place._replace(bells=self._bells.descriptors(place.number)),
                words,
                environment,
                report,
                complain,
                program,
            )
            for place in places
        ]
        self._report, self._say, self._notifier = report, say, notifier
        self._signals = 0

    async def run(self) -> int:
        """Until all have ended; the exit status."""
        ended = on_end_signals(self.end)
        first, *others = self._processes
        runs = [asyncio.create_task(first.run(), name="tq process 0")]
        said = await self._listens(first, runs)
        # The first one has made, or brought to this version, what the others read.
        runs += [asyncio.create_task(one.run(), name=f"tq process {one.place.number}") for one in others]
        for one in others:
            await self._listens(one, runs)
        if said is not None and not self._signals and not any(run.done() for run in runs):
            addresses = ", ".join(one.place.addresses[one.place.number] for one in others)
            self._say("\n".join([*said, f"  process 0 of {len(runs)}; the others listen on {addresses}"]))
            self._report("processes.started", processes=len(runs))
            self._notifier.notify("READY=1")
        beat = asyncio.create_task(self._beat())
        await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        # One ends for good when all are asked to, or when none may go on.
        self._end_all()
        statuses = await asyncio.gather(*runs)
        self._bells.close()
        beat.cancel()
        self._notifier.notify("STOPPING=1")
        ended()
        return max(ENDED_AT_ONCE if status < 0 else status for status in statuses)

    async def _listens(self, one: ShardProcess, runs: Sequence[asyncio.Task[int]]) -> list[str] | None:
        """Until it listens, what it said before; None: one of them has ended for good, and so all are ended."""
        waits: list[asyncio.Future[Any]] = [one.listens, *runs]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if any(run.done() for run in runs):
            self._end_all()
            return None
        return one.listens.result()

    def _end_all(self) -> None:
        for one in self._processes:
            one.end()

    def end(self) -> None:
        """The first signal asks each to end in order, the second kills them."""
        self._signals += 1
        if self._signals == 1:
            self._end_all()
            return
        for one in self._processes:
            one.kill()

    async def _beat(self) -> None:
        """For a service manager's watchdog."""
        while True:
            await asyncio.sleep(self._notifier.watchdog_seconds or NOTIFY_SECONDS)
            self._notifier.notify("WATCHDOG=1")
