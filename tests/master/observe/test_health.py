"""When a master calls itself alive and ready, and what feeds the watchdog."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.common.errors import StoreError
from tq.common.runtime.health import Pulse
from tq.common.runtime.sd_notify import Notifier
from tq.master.engine.clock import Now
from tq.master.observe.health import (
    SLOW_SECONDS,
    STUCK_SECONDS,
    MasterVitals,
    ObservedServer,
    ShardsVitals,
    vitals_of,
)

from tests.master.net.harness import START, ServerHarness

from ..conftest import Bench


def vitals(*args: Any, **kwargs: Any) -> MasterVitals:
    return MasterVitals(server(*args, **kwargs))


def server(
    transaction: float = 0.0, failing: float = 0.0, away: str = "", recovering: str = ""
) -> ObservedServer:
    trouble = SimpleNamespace(since=1 if failing else None, error="disk full")
    store = SimpleNamespace(away=away, recovering=recovering)
    engine = SimpleNamespace(trouble=trouble, sessions={}, store=store)
    found = SimpleNamespace(seconds_since_transaction=transaction, trouble_seconds=failing, engine=engine)
    return cast(ObservedServer, found)


def test_a_master_whose_transactions_follow_one_another_is_alive_and_ready() -> None:
    assert (vitals().sick(), vitals().unready()) == ([], [])


@pytest.mark.parametrize("seconds", [SLOW_SECONDS, STUCK_SECONDS - 1])
def test_a_slow_disk_makes_a_master_unready_but_is_no_reason_to_restart_it(seconds: float) -> None:
    slow = vitals(seconds)
    assert slow.sick() == []
    assert "slow or stuck" in slow.unready()[0]


def test_a_transaction_that_does_not_end_is_a_reason_to_restart() -> None:
    assert "no transaction has ended for 60 s" in vitals(STUCK_SECONDS).sick()[0]


def test_a_database_that_does_not_answer_makes_a_master_unready_and_is_no_reason_to_restart_it() -> None:
    waiting = vitals(10 * STUCK_SECONDS, away="connection refused")
    assert waiting.sick() == []
    assert waiting.unready() == [
        "the database does not answer, and everything waits for it: connection refused"
    ]


def test_a_store_that_is_loaded_again_says_how_far_it_is_and_not_what_went_wrong_before() -> None:
    loading = vitals(failing=3.0, recovering="the working copy is loaded again, 20,000 rows so far")
    assert loading.sick() == []
    assert loading.unready() == ["recovering: the working copy is loaded again, 20,000 rows so far"]


def test_a_failed_commit_is_remembered_for_a_while_with_its_cause() -> None:
    assert "the store has failed for 3 s: disk full" in vitals(failing=3.0).unready()
    assert vitals(failing=3.0).sick() == []


def test_a_master_that_shuts_down_is_not_ready() -> None:
    ending = vitals()
    ending.draining = True
    assert ending.unready() == ["it is shutting down"]


class Patient:
    """Vitals that can fall ill; how often it was prodded."""

    def __init__(self) -> None:
        self.prods = 0
        self.reasons: list[str] = []

    def prod(self) -> None:
        self.prods += 1

    def sick(self) -> list[str]:
        return self.reasons

    def unready(self) -> list[str]:
        return []

    def facts(self) -> dict[str, Any]:
        return {"prods": self.prods}


class RecordingNotifier(Notifier):
    """A service manager that expects a sign of life every hundredth of a second, and the messages it received."""

    def __init__(self) -> None:
        super().__init__({})
        self.watchdog_seconds = 0.01
        self.lines: list[str] = []

    def notify(self, *lines: str) -> None:
        self.lines += lines


def test_the_watchdog_is_fed_only_while_the_program_is_well() -> None:
    patient, notifier, lags = Patient(), RecordingNotifier(), list[float]()

    async def play() -> None:
        pulse = Pulse(patient, notifier, lags.append)
        pulse.start()
        while notifier.lines.count("WATCHDOG=1") < 3:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.01)
        patient.reasons = ["ill"]
        before, prods = notifier.lines.count("WATCHDOG=1"), patient.prods
        while patient.prods < prods + 3:
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.01)
        assert notifier.lines.count("WATCHDOG=1") == before
        pulse.stopping()
        pulse.stop()

    asyncio.run(play())
    assert notifier.lines[0] == "READY=1"
    assert notifier.lines[-2] == "STOPPING=1"
    assert min(lags) >= 0


# the real server, its store's commit in our hands, its clock moved by hand


@pytest.fixture
def harness(bench: Bench, tmp_path: Path) -> Iterator[ServerHarness]:
    opened = ServerHarness(bench, tmp_path)
    yield opened
    opened.close()


def write(harness: ServerHarness) -> None:
    """Something that has to be committed."""
    engine = harness.server.engine
    engine.later(lambda: engine.store.set_meta("written", b"1"))
    harness.server.wake()
    harness.turn()


def until(harness: ServerHarness, condition: Callable[[], bool]) -> None:
    """Let the loop turn until another thread has done its part."""
    pause = threading.Event()
    for _ in range(1_000):
        harness.turn()
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to pass")


def test_an_idle_master_stays_alive_by_its_beat(harness: ServerHarness) -> None:
    patient = MasterVitals(harness.server)
    for seconds in range(0, 200, 20):
        harness.at(seconds)
        patient.prod()
        harness.turn()
        assert patient.sick() == []


def test_a_commit_that_does_not_end_is_seen_by_everybody(
    harness: ServerHarness, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, disk, commit = MasterVitals(harness.server), threading.Event(), bench.engine.store.commit

    def stuck() -> None:
        disk.wait(10)
        commit()

    monkeypatch.setattr(bench.engine.store, "commit", stuck)
    write(harness)
    harness.at(5)
    patient.prod()
    assert (patient.sick(), patient.unready()) == ([], [])
    harness.at(SLOW_SECONDS)
    assert patient.sick() == []
    assert "slow or stuck" in patient.unready()[0]
    harness.at(STUCK_SECONDS)
    assert "no transaction has ended for 60 s" in patient.sick()[0]
    disk.set()
    until(harness, lambda: patient.sick() == [])
    assert patient.unready() == []


def test_a_store_that_fails_makes_it_unready_until_it_takes_something_again(
    harness: ServerHarness, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = MasterVitals(harness.server)

    def fail() -> None:
        raise StoreError("the disk is full")

    def pass_time(seconds: int) -> None:
        for _ in range(seconds * 4):
            bench.now = Now(bench.now.wall + 250, bench.now.mono + 250)
            harness.at(harness.loop.now - START + 0.25)

    with monkeypatch.context() as patched:
        patched.setattr(bench.engine.store, "commit", fail)
        write(harness)
        until(harness, lambda: patient.unready() != [])
        assert patient.unready() == ["the store has failed for 0 s: the disk is full"]
        pass_time(60)
        assert patient.unready() == ["the store has failed for 60 s: the disk is full"]
        assert patient.sick() == []
    pass_time(8)
    assert patient.unready() == []


def test_a_process_of_several_shards_is_as_well_as_each_of_them_and_names_the_one_that_is_not() -> None:
    shards = {0: server(), 3: server(STUCK_SECONDS), 5: server(failing=2.0)}
    of = ShardsVitals(shards)
    assert [text.split(":")[0] for text in of.sick()] == ["shard 3"]
    assert of.unready() == ["shard 5: the store has failed for 2 s: disk full"]
    of.draining = True
    assert of.unready()[0] == "it is shutting down"
    del shards[5]
    assert of.unready() == ["it is shutting down"], "a shard may go while the process runs"


def test_a_process_without_a_shard_is_not_ready_and_says_why() -> None:
    shards: dict[int, ObservedServer] = {}
    of = vitals_of(shards, 4, lambda: ["the others have all of them"])
    assert (of.sick(), of.unready()) == ([], ["the others have all of them"])
    shards[2] = server()
    assert of.unready() == []


def test_the_numbers_of_several_shards_are_added(harness: ServerHarness) -> None:
    alone, both = vitals_of({0: harness.server}, 1), vitals_of(dict.fromkeys((0, 1), harness.server), 2)
    assert isinstance(alone, MasterVitals)
    assert both.facts() == {name: 2 * number for name, number in alone.facts().items()} | {"shards": 2}
