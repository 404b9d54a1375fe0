"""One trial of a fault: a cluster of real programs that write their history, and the judgement at its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import tq
from tq.common.runtime.history import VARIABLE, History
from xprocess import XProcess

from ..cluster.programs import TASKS_FILE, Master, Program, Worker, eventually
from ..history.checker import Event, Final, Report, check
from ..history.loading import certain, final, read
from .tally import Tally
from .witness import Witness

FAULT_TASKS = Path(__file__).with_name("fault_tasks.py")
MORTAL_MASTER = [sys.executable, str(Path(__file__).with_name("mortal_master.py"))]
CONNECT_SECONDS = 30
SECONDS = 45.0  # for everything to have ended: many leases, on a loaded machine

# A lease that is soon over, for faults that last longer than one; and one that is longer than a worker's
# longest wait between two tries to connect, as the default is.
SHORT = {"TQ_HEARTBEAT_SECONDS": "0.5", "TQ_LEASE_SECONDS": "2", "TQ_GRACE_SECONDS": "1"}
PATIENT = {"TQ_HEARTBEAT_SECONDS": "0.5", "TQ_LEASE_SECONDS": "15", "TQ_GRACE_SECONDS": "12"}


class Trial:
    """Programs started here write into one history; whatever happens, they are ended with the trial."""

    def __init__(self, fault: str, xprocess: XProcess, home: Path, tally: Tally) -> None:
        self.fault, self._xprocess, self._tally = fault, xprocess, tally
        self.home, self.history = home, home / "history"
        self.history.mkdir(parents=True)
        self.note = History(self.history, "client")
        self._stack = ExitStack()
        self._programs: list[Program] = []
        self.recovery: float | None = None
        self.master = self._own(Master(xprocess, home))
        self.master.command = MORTAL_MASTER

    @property
    def addresses(self) -> str:
        """Of its master, or of all of them."""
        return self.master.address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, type: Any, *error: Any) -> None:
        if type is not None:  # what the programs said, for the reader of the failure
            for program in self._programs:
                sys.stdout.write(f"\n--- {program.command[-1]}, process {program.pid}\n{program.log}\n")
        self.close()

    def close(self) -> None:
        self._stack.close()

    def worker(self, slots: int = 2, *, address: str | None = None, start: bool = True) -> Worker:
        arguments = ("--slots", slots, TASKS_FILE, FAULT_TASKS)
        worker = self._own(
            Worker(self._xprocess, self.home, address or self.addresses, self.master.authkey, *arguments)
        )
        if start:
            worker.start()
        return worker

    def witness(self, url: str | None = None, role: str = "client") -> Witness:
        url = url or f"tq://{self.addresses}"
        app = tq.App(url, self.master.authkey, role=role, connect_timeout=CONNECT_SECONDS)
        return Witness(self._stack.enter_context(app), self.note)

    def recording_app(self) -> tq.App:
        """A client that writes its history by itself, as any program does that was started with the variable."""
        app = tq.App(f"tq://{self.addresses}", self.master.authkey, connect_timeout=CONNECT_SECONDS)
        self._stack.enter_context(app)
        os.environ[VARIABLE] = str(self.history)
        try:
            assert app.session.link is not None  # it is made now
        finally:
            del os.environ[VARIABLE]
        return app

    def events(self, what: str = "") -> list[Event]:
        """What has been said so far."""
        return [event for event in read(self.history) if not what or event["what"] == what]

    def until(self, condition: Callable[[list[Event]], Any], what: str = "") -> None:
        """Wait until the history so far meets the condition."""
        eventually(lambda: condition(self.events(what)), SECONDS)

    def recovered(self, since: float, what: str = "accepted") -> None:
        """The time from the end of the fault to the first event of a kind after it; the longest counts."""
        moments = [event["t"] for event in self.events(what) if event["t"] > since]
        if moments:
            self.recovery = max(self.recovery or 0.0, moments[0] - since)

    def judge(self, *, times: int, wanted_starts: int = 0) -> Report:
        """End the master, judge the whole history, put it into the table. Fails on any violation."""
        rows = self._final()
        events = certain(self.events(), rows)
        report = check(events, rows)
        self._tally.add(self.fault, report, times=times, wanted_starts=wanted_starts, recovery=self.recovery)
        assert not report.violations, (
            "\n".join(map(str, report.violations[:20])) + "\n" + self._story(report, events)
        )
        received = {event["id"]: event for event in events if event["what"] == "received"}
        assert all(event["digest"] == rows[id].digest for id, event in received.items())
        return report

    def _final(self) -> dict[str, Final]:
        """What the stores have when no master uses them any more: of each shard one."""
        if self.master.running:
            self.master.terminate()
        return {id: row for store in self.stores() for id, row in final(store).items()}

    def stores(self) -> list[Path]:
        data = self.master.data
        return [data / "tq.db", *sorted(data.glob("shards/*/tq.db"))]

    def _story(self, report: Report, events: list[Event]) -> str:
        """The whole story of the first task that went wrong."""
        id = report.violations[0].id
        story = [event for event in events if event.get("id") == id]
        return "\n".join(f"{event['t']:.3f} {event}" for event in story)

    def _own(self, program: Any) -> Any:
        self._stack.callback(program.end)
        self._programs.append(program)
        program.environment[VARIABLE] = str(self.history)
        return program
