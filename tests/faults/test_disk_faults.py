"""A disk that is full or broken: refused clearly, nothing acknowledged that is not there, and on it goes by itself."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.items.queue import ItemQueue

from ..cluster.programs import let_pass, run_program
from .conftest import TrialFactory
from .disk import failing_calls, small_disk
from .trial import SECONDS, Trial
from .witness import Tasks, Witness

STORE_ERROR_SECONDS = 10.0  # within which the first submit after the fault is refused
PAYLOAD = "x" * 2_000
DUE_SECONDS = 1.0
ITEMS = 1_000
FULL_SECONDS = 0.15  # and as long not
ROOM_BYTES = 24 * 1024 * 1024  # a log that is full of items, and its database
LEFT_SECONDS = 6.0  # more than the grace of a taker that has ended
BROKEN_SECONDS = 2.0  # long enough for the master to have tried more than once


def submit_until_refused(witness: Witness) -> tuple[Tasks, str]:
    """What was acknowledged before, and how the first one was refused."""
    acknowledged: Tasks = []
    deadline = time.monotonic() + STORE_ERROR_SECONDS
    while time.monotonic() < deadline:
        try:
            acknowledged += witness.submit("cluster_tasks:echo", [(PAYLOAD,)])
        except tq.StoreError as error:
            return acknowledged, str(error)
    raise AssertionError(f"nothing was refused within {STORE_ERROR_SECONDS:g} s")


def submit_until_accepted(witness: Witness) -> Tasks:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return witness.submit("cluster_tasks:echo", [(PAYLOAD,)])
        except tq.StoreError:
            assert time.monotonic() < deadline, "the store has not come back"


def endure(trial: Trial, begin: Callable[[], object], end: Callable[[], object], words: str) -> None:
    """Work, a broken disk, and work again without a restart."""
    witness = trial.witness()
    pid = trial.master.pid
    before = witness.submit("cluster_tasks:echo", [(PAYLOAD,)] * 5)
    witness.hear(before, SECONDS)
    due = witness.submit("cluster_tasks:echo", [(PAYLOAD,)], delay=DUE_SECONDS)  # falls due amid the fault
    begin()
    amid, refusal = submit_until_refused(witness)
    assert words in refusal
    more, refusal = submit_until_refused(witness)  # it goes on refusing, at once and not by a time limit
    assert words in refusal
    let_pass(BROKEN_SECONDS)
    witness.read(before)  # who reads is answered
    end()
    since = time.monotonic()
    after = submit_until_accepted(witness)
    trial.recovered(since, "acknowledged")
    witness.hear([*amid, *more, *due, *after], SECONDS)
    assert trial.master.running
    assert trial.master.pid == pid
    assert "master.bug" not in trial.master.log
    assert "Traceback" not in trial.master.log


@pytest.mark.timeout(300)
def test_a_full_disk_refuses_clearly_and_loses_nothing_and_goes_on_when_there_is_space(
    new_trial: TrialFactory, times: Callable[[int], int]
) -> None:
    for _ in range(times(5)):
        with new_trial("disk full", start=False) as trial, small_disk(trial.master.data) as disk:
            trial.master.start()
            trial.worker()
            endure(trial, disk.fill, disk.free, "disk is full")
            trial.judge(times=1)


@pytest.mark.parametrize(
    ("calls", "error", "words"),
    [
        ("fdatasync,fsync", "EIO", "disk I/O error"),
        ("pwrite64", "ENOSPC", "disk is full"),
        ("pwrite64", "EIO", "disk I/O error"),
        ("pwrite64", "EROFS", "disk I/O error"),
    ],
)
def test_a_disk_that_fails_refuses_clearly_and_loses_nothing_and_goes_on_when_it_is_mended(
    whole_run: None, new_trial: TrialFactory, calls: str, error: str, words: str
) -> None:
    with new_trial(f"{error} of {calls}") as trial, ExitStack() as fault:
        trial.worker()
        endure(
            trial,
            lambda: fault.enter_context(failing_calls(trial.master.pid, calls, error)),
            fault.close,
            words,
        )
        trial.judge(times=1)


@pytest.mark.timeout(120)
def test_tasks_end_and_are_purged_on_a_full_disk_while_new_ones_are_refused(new_trial: TrialFactory) -> None:
    with (
        new_trial("disk full at work", start=False) as trial,
        small_disk(trial.master.data, ROOM_BYTES) as disk,
    ):
        trial.master.start()
        with tq.App(trial.master.url, trial.master.authkey) as app:
            echo = app.named("cluster_tasks:echo")
            waiting = [echo.submit(f"{PAYLOAD}{number}") for number in range(100)]
            disk.fill()
            submit_until_full(echo)
            worker = trial.worker()
            assert [one.result(timeout=SECONDS) for one in waiting] == [
                f"{PAYLOAD}{number}" for number in range(100)
            ]
            with pytest.raises(tq.StoreFull, match="nothing new is accepted"):
                echo.submit(PAYLOAD)
            with tq.App(trial.master.url, trial.master.authkey, role="admin") as admin:
                assert admin.call(("get_tasks",), "purge", {})["tasks"] == 100
            let_pass(BROKEN_SECONDS)
            for _ in range(10):
                with pytest.raises(tq.StoreFull):
                    echo.submit(PAYLOAD)
            disk.free()
            deadline = time.monotonic() + SECONDS
            while not is_accepted(echo):
                assert time.monotonic() < deadline, "nothing is accepted though there is room"
        lines = [line for line in trial.master.log.splitlines() if "store.f" in line]
        assert len(lines) == 1, lines
        assert "store.full" in lines[0]
        assert worker.log.count("worker.disconnected") <= 1


def submit_until_full(echo: Any) -> None:
    deadline = time.monotonic() + STORE_ERROR_SECONDS
    while is_accepted(echo):
        assert time.monotonic() < deadline, "nothing was refused"


def is_accepted(echo: Any) -> bool:
    try:
        echo.submit(PAYLOAD)
    except tq.StoreError:
        return False
    return True


def take(items: ItemQueue, seconds: float) -> Iterator[Any]:
    """Items as they come; the end is a queue that is empty for so long. A disk that is full is waited for."""
    while True:
        try:
            yield items.get(timeout=seconds)
        except queue.Empty:
            return
        except tq.StoreError:
            continue


@pytest.mark.timeout(120)
def test_an_item_is_got_once_though_the_disk_is_full_when_that_is_confirmed(new_trial: TrialFactory) -> None:
    with (
        new_trial("disk full at a get", start=False) as trial,
        small_disk(trial.master.data, ROOM_BYTES) as disk,
    ):
        trial.master.start()
        url, key = trial.master.url, trial.master.authkey
        with tq.App(url, key) as app:
            for number in range(ITEMS):
                ItemQueue(app.session, "items").put(number)
        over = threading.Event()

        def be_full_now_and_then() -> None:
            while not over.wait(FULL_SECONDS):
                disk.fill()
                over.wait(FULL_SECONDS)
                disk.free()

        filling = threading.Thread(target=be_full_now_and_then)
        with tq.App(url, key) as first:
            filling.start()
            taken = list(itertools.islice(take(ItemQueue(first.session, "items"), SECONDS), ITEMS // 2))
        over.set()
        filling.join()
        with tq.App(url, key) as second:
            taken += take(ItemQueue(second.session, "items"), LEFT_SECONDS)
        assert sorted(taken) == list(range(ITEMS))
        assert "master.bug" not in trial.master.log


@pytest.mark.parametrize("free_bytes", [0, 20_000, 70_000, 300_000])
def test_a_new_store_on_a_full_disk_asks_for_space_and_for_no_copy(tmp_path: Path, free_bytes: int) -> None:
    """At the second start, too: the first one has left some of its files."""
    with small_disk(tmp_path / "disk") as disk:
        data = tmp_path / "disk" / "data"
        data.mkdir(mode=0o700)
        spare = data.parent / "spare"
        spare.write_bytes(bytes(free_bytes))
        disk.fill()
        spare.unlink()
        for _ in range(2):
            done = run_program("tq-master", "--bind", "127.0.0.1:0", "--data", data, home=tmp_path)
            assert done.returncode == 2
            assert "space" in done.stderr
            assert "restore" not in done.stderr
            assert "copy" not in done.stderr
