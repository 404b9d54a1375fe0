"""What a program sees that waits for a task which no worker runs."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tq
from tq.client.tasks import stalls

from .conftest import Cluster
from .programs import Master, clean_environment, command, eventually, text_process

SECONDS = 20  # for what comes at once, under load
NOWHERE = "no worker is connected that serves nowhere:f in queue default; start one with"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "STUCK_SECONDS", 0.1)


def handles(app: tq.App) -> tq.Handles[object]:
    return app.named("nowhere:f").map(range(3))


WAITS: dict[str, Callable[[tq.App], object]] = {
    "a result": lambda app: app.submit("nowhere:f").result(1),
    "an exception": lambda app: app.submit("nowhere:f").exception(1),
    "results": lambda app: next(handles(app).results(1)),
    "as_completed": lambda app: next(handles(app).as_completed(1)),
    "tq.as_completed": lambda app: next(tq.as_completed(list(handles(app)), 1)),
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS.keys())
def test_a_wait_that_no_worker_ends_warns_once_and_its_timeout_has_the_reason(
    app: tq.App, caplog: pytest.LogCaptureFixture, wait: Callable[[tq.App], object]
) -> None:
    with pytest.raises(TimeoutError) as raised:
        wait(app)
    assert NOWHERE in str(raised.value)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("tq.client", logging.WARNING)
    assert record.message.startswith(NOWHERE)
    assert "`tq why " in record.message


def test_a_wait_without_a_timeout_warns_too_and_goes_on(
    app: tq.App, caplog: pytest.LogCaptureFixture
) -> None:
    async def wait() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await app.named("nowhere:f").asubmit(), 1)

    asyncio.run(wait())
    assert tq.wait(handles(app), 0.5).done == []
    assert [record.message[: len(NOWHERE)] for record in caplog.records] == [NOWHERE]  # the function once


def test_a_wait_for_what_workers_run_warns_of_nothing(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    released = tmp_path / "released"
    handle = cluster.app.submit("cluster_tasks:until", str(released))
    try:
        eventually(lambda: handle.state is tq.State.RUNNING)
        with pytest.raises(TimeoutError, match=r"goes on: .* has run attempt 1 for"):
            handle.result(1)
    finally:
        released.touch()
    assert handle.result(SECONDS) is None
    assert caplog.records == []


TIMED: dict[str, Callable[[tq.App, Callable[..., object], str], object]] = {
    "a future": lambda app, f, path: tq.Executor(app=app).submit(f, path).result(2),
    "the exception of a future": lambda app, f, path: tq.Executor(app=app).submit(f, path).exception(2),
    "a map": lambda app, f, path: list(tq.Executor(app=app).map(f, [path], timeout=2)),
    "a result of a pool": lambda app, f, path: tq.Pool(app=app).apply_async(f, (path,)).get(2),
    "a map of a pool": lambda app, f, path: tq.Pool(app=app).map_async(f, [path]).get(2),
    "imap": lambda app, f, path: tq.Pool(app=app).imap(f, [path]).next(2),
    "imap_unordered": lambda app, f, path: tq.Pool(app=app).imap_unordered(f, [path]).next(2),
}


@pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool")
@pytest.mark.parametrize("wait", TIMED.values(), ids=TIMED.keys())
def test_a_timed_wait_through_the_standard_librarys_types_has_the_reason(
    cluster: Cluster,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    wait: Callable[[tq.App, Callable[..., object], str], object],
) -> None:
    until = cluster.app.task(name="cluster_tasks:until")(lambda released: None)
    released = tmp_path / "released"
    cluster.app.submit("cluster_tasks:add", 1, 2).result(
        SECONDS
    )  # a slot is free of what other tests have left
    try:
        with pytest.raises((TimeoutError, multiprocessing.TimeoutError)) as raised:
            wait(cluster.app, until, str(released))
    finally:
        released.touch()
    kind = multiprocessing.TimeoutError if "pool" in str(wait.__code__.co_names).lower() else TimeoutError
    assert raised.type is kind
    begun_or_not = r"(.* has run attempt 1 for|it waits for a slot)"  # as soon as the machine lets it
    assert re.search(rf"has no result after (2|1\.\d+) s; it goes on: {begun_or_not}", str(raised.value))
    assert caplog.records == []


def test_a_handle_says_why_its_task_waits_and_how_it_ended(app: tq.App) -> None:
    handle = app.submit("nowhere:f")
    assert handle.why().startswith(NOWHERE)
    handle.cancel()
    assert handle.why().startswith("it was cancelled ")


def test_a_thousand_short_waits_ask_for_no_reason(app: tq.App, caplog: pytest.LogCaptureFixture) -> None:
    handle = app.submit("nowhere:f")
    for _ in range(100):
        with pytest.raises(TimeoutError, match=r"it goes on$"):
            handle.result(0.01)
    assert caplog.records == []


def test_ctrl_c_ends_a_command_that_waits_and_prints_the_task_which_goes_on(
    master: Master, home: Path, app: tq.App
) -> None:
    where = clean_environment(home, {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with text_process(
        [*command("tq"), "submit", "nowhere:f", "--wait"], env=where, cwd=home, **pipes
    ) as waiting:
        assert waiting.stderr is not None
        assert "nowhere:f in queue default; start one with" in waiting.stderr.readline()  # it waits
        waiting.send_signal(signal.SIGINT)
        said, complaint = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, said) == (130, "")
    [id] = set(re.findall(r"`tq result (\S+)`", complaint))
    assert app.get(id).state == "ready"
