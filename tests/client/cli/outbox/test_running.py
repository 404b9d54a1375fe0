"""The loop of a relay: through the absence of either side, until it is asked to end; and what it says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tq.client.cli.outbox.database import ClaimedRow, DatabaseLost, OutboxCounts, OutboxDatabase
from tq.client.cli.outbox.relay import Judged, OutboxRelay, RowFate
from tq.client.cli.outbox.running import LINES_MAX, REPORT_SECONDS, Reports, run_relay
from tq.common.errors import ConfigError, Full, InvalidArgument, QuotaExceeded, Rejected, TqError, Unreachable


class NoDatabase:
    shown = "nowhere"

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.closed = 0

    def counts(self) -> OutboxCounts:
        return OutboxCounts(37, 1.0, 0, 2)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def close(self) -> None:
        self.closed += 1


class Steps(OutboxRelay):
    """``steps``: what each step answers or raises; the last one ends it."""

    def __init__(self, database: Any, stopped: threading.Event, steps: list[bool | TqError]) -> None:
        super().__init__(database, None, lambda: 0.0, batch=1)  # type: ignore[arg-type]
        self._stopped, self._steps = stopped, steps

    def step(self) -> bool:
        one = self._steps.pop(0)
        if not self._steps:
            self._stopped.set()
        if isinstance(one, TqError):
            raise one
        return one


class Reached:
    is_away = False

    def __init__(self) -> None:
        self.times = 0

    def reach(self) -> None:
        self.times += 1


class Loop:
    def __init__(self, steps: list[bool | TqError]) -> None:
        self.stopped, self.master = threading.Event(), Reached()
        self.databases: list[NoDatabase] = []
        self.stopped.wait = self.pause  # type: ignore[method-assign]
        self.pauses: list[float | None] = []
        self.steps = steps

    def pause(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout)
        return self.stopped.is_set()

    def open(self) -> Any:
        self.databases.append(NoDatabase())
        return self.databases[-1]

    def run(self, *, once: bool = False) -> None:
        make: Callable[[OutboxDatabase], OutboxRelay] = lambda of: Steps(of, self.stopped, self.steps)  # noqa: E731
        run_relay(
            self.open,
            self.master,
            make,
            Reports(as_json=False),
            self.stopped,
            poll_seconds=1.0,
            once=once,  # type: ignore[arg-type]
        )


def test_it_waits_for_what_is_committed_when_there_is_nothing_to_do() -> None:
    loop = Loop([True, False, True, False])
    loop.run()
    [database] = loop.databases
    assert database.waits == [1.0, 1.0]
    assert database.closed == 1
    assert loop.master.times == 1


def test_a_master_that_is_away_is_waited_for_longer_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    away = Unreachable("no master answers")
    loop = Loop([away, away, away, False, away, True])
    loop.run()
    assert loop.pauses == [0.5, 1.0, 2.0, 0.5]
    said = capsys.readouterr().err
    assert said.count("rows wait: no master answers") == 2, "when it begins, and not again until it is over"
    assert said.count("rows are handed over again") == 2


def test_a_lost_database_is_opened_again() -> None:
    loop = Loop([DatabaseLost("the server closed the connection"), True])
    loop.run()
    assert [one.closed for one in loop.databases] == [1, 1]


@pytest.mark.parametrize("error", [Rejected("revoked"), ConfigError("no table"), InvalidArgument("no key")])
def test_what_trying_again_does_not_help_ends_it(error: TqError) -> None:
    loop = Loop([error, True])
    with pytest.raises(type(error)):
        loop.run()
    assert loop.databases[0].closed == 1


def test_a_quota_is_waited_for() -> None:
    loop = Loop([QuotaExceeded("too many calls"), True])
    loop.run()
    assert loop.pauses == [0.5]


def test_once_ends_when_nothing_is_left_and_with_the_first_trouble() -> None:
    loop = Loop([True, False, True])
    loop.run(once=True)
    assert loop.steps == [True]
    with pytest.raises(Unreachable):
        Loop([Unreachable("away"), True]).run(once=True)


def test_a_line_says_how_much_was_done_and_what_waits(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    reports = Reports(as_json=False, clock=lambda: now[0])
    relay = Steps(NoDatabase(), threading.Event(), [])
    relay.totals.sent = 1_204
    reports.tick(relay)
    assert capsys.readouterr().err == "", "not every moment"
    now[0] = REPORT_SECONDS
    relay.totals.refused = 2
    relay.totals.full["mail"] = str(
        Full("queue mail is full: 10 of at most 10 tasks wait in it; try again later")
    )
    reports.tick(relay)
    said = capsys.readouterr().err
    assert said.startswith("handed over 1,204 rows, 1,204 of them in 10")
    assert "; set aside 2 (tq outbox status); 37 rows waiting, the oldest for " in said
    assert said.endswith("; queue mail is full: 10 of at most 10 tasks wait in it\n")
    relay.totals.full.clear()
    now[0] *= 2
    reports.tick(relay)
    assert capsys.readouterr().err == "", "nothing was done"


def test_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    reports = Reports(as_json=True)
    reports.tick(Steps(NoDatabase(), threading.Event(), []), always=True)
    row = ClaimedRow(1, bytes(16), "mail", "m:f", b"")
    reports.set_aside(Judged(row, RowFate.REFUSED, InvalidArgument("why")))
    reports.trouble(Unreachable("away"))
    reports.well()
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in events] == ["progress", "set_aside", "trouble", "well"]
    assert events[0]["waiting"] == 37
    assert (events[1]["queue"], events[1]["reason"]) == ("mail", "InvalidArgument: why")


def test_a_flood_of_refusals_is_not_a_flood_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    reports = Reports(as_json=False)
    row = ClaimedRow(1, bytes(16), "mail", "m:f", b"")
    for _ in range(1_000):
        reports.set_aside(Judged(row, RowFate.REFUSED, InvalidArgument("why")))
    assert len(capsys.readouterr().err.splitlines()) == LINES_MAX
