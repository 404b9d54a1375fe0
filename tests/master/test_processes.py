"""The guard of several processes: it starts them in order, starts again what ends, and ends with the last of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.runtime.sd_notify import Notifier
from tq.common.wire.address import Address
from tq.master import processes
from tq.master.process_place import VARIABLE, ProcessPlace
from tq.master.process_signs import MissedSigns
from tq.master.processes import CANNOT_START, LISTENS, REFUSES, ProcessGuard, make_shards, places_of
from tq.master.store.cluster_files import DEFAULT_START, StartOptions
from tq.master.store.shard_files import folders_of

T = TypeVar("T")
SECONDS = 100.0  # of a machine that is very busy, for some programs that start one after the other
PLACES = [ProcessPlace(number, (5000, 5001), ("a:5000", "a:5001")) for number in range(2)]
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="tq-master needs a POSIX system"),
    pytest.mark.timeout(120),
]


class Reports:
    def __init__(self) -> None:
        self.rows: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def __call__(self, action: str, *, level: str = "info", **fields: Any) -> None:
        self.rows.put_nowait((action, fields))

    async def until(self, action: str) -> dict[str, Any]:
        while True:
            found, fields = await self.rows.get()
            if found == action:
                return fields


class Guarded:
    """A guard whose processes run this text instead of a master."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        (folder / "process_of_a_test.py").write_text(
            f"import json, os, sys, time, signal\nnumber = json.loads(os.environ[{VARIABLE!r}])[0]\n"
            f"listens = lambda: print({LISTENS!r}, flush=True)\n{text}"
        )
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        monkeypatch.setattr(processes, "PAUSE_SECONDS", 0.05)
        monkeypatch.setattr(processes, "LOOK_SECONDS", 0.01)
        self.reports, self.said, self.complaints = Reports(), list[str](), list[str]()
        self.guard = ProcessGuard(
            PLACES,
            ["--some", "words"],
            dict(os.environ),
            self.reports,
            self.said.append,
            self.complaints.append,
            Notifier({}),
            ("process_of_a_test",),
        )

    def pids(self) -> list[int]:
        found = [one._process for one in self.guard._processes]
        return [one.pid for one in found if one is not None]


def refusal(*lines: str) -> str:
    return REFUSES + json.dumps(lines)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, SECONDS))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_first_listens_before_the_others_are_started_and_what_it_says_is_said_when_all_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = tmp_path / "order"
    text = (
        f"order = open({str(order)!r}, 'a')\nprint('begins', number, file=order, flush=True)\n"
        "if number == 0: print('a banner', sys.argv[1:]); print('listens', file=order, flush=True)\n"
        "listens(); time.sleep(60)"
    )

    async def work() -> tuple[int, list[str]]:
        guarded = Guarded(tmp_path, monkeypatch, text)
        running = asyncio.create_task(guarded.guard.run())
        assert await guarded.reports.until("processes.started") == {"processes": 2}
        guarded.guard.end()
        return await running, guarded.said

    status, said = run(work())
    assert order.read_text().splitlines() == ["begins 0", "listens", "begins 1"]
    assert said == ["a banner ['--some', 'words']\n  process 0 of 2; the others listen on a:5001"]
    assert status == 1  # each was killed by the signal that asks to end, which these do not handle


def test_a_process_that_is_killed_is_started_again_and_the_other_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        guarded = Guarded(tmp_path, monkeypatch, "listens(); time.sleep(60)")
        running = asyncio.create_task(guarded.guard.run())
        await guarded.reports.until("processes.started")
        first, second = guarded.pids()
        os.kill(second, signal.SIGKILL)
        ended = await guarded.reports.until("process.ended")
        assert (ended["process"], ended["reason"]) == (1, "killed by signal 9")
        assert await guarded.reports.until("process.back") == {"process": 1}
        assert guarded.pids()[1] != second
        assert guarded.pids()[0] == first
        assert is_alive(first)
        guarded.guard.end()
        await running
        assert not any(map(is_alive, [first, second, *guarded.pids()]))

    run(work())


def test_one_that_cannot_start_ends_all_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"if number == 1: sys.exit({CANNOT_START})\nsignal.signal(15, lambda *_: sys.exit(0)); listens(); time.sleep(60)"

    async def work() -> tuple[int, list[str]]:
        guarded = Guarded(tmp_path, monkeypatch, text)
        return await guarded.guard.run(), guarded.said

    assert run(work()) == (CANNOT_START, [])


def test_one_that_cannot_start_says_why_before_all_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"print({refusal('a reason', 'a section')!r}); sys.exit({CANNOT_START})"

    async def work() -> list[str]:
        guarded = Guarded(tmp_path, monkeypatch, text)
        assert await guarded.guard.run() == CANNOT_START
        return guarded.complaints

    assert run(work()) == ["a reason", "a section"]


def test_one_that_must_not_go_on_ends_the_others_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    text = (
        "signal.signal(15, lambda *_: sys.exit(0)); listens()\n"
        f"while not (number and os.path.exists({str(go)!r})): time.sleep(0.01)\n"
        f"print({refusal('it was revoked')!r}); sys.exit({CANNOT_START})"
    )

    async def work() -> tuple[int, list[str]]:
        guarded = Guarded(tmp_path, monkeypatch, text)
        running = asyncio.create_task(guarded.guard.run())
        await guarded.reports.until("processes.started")
        go.touch()
        status = await running
        assert not any(map(is_alive, guarded.pids()))
        return status, guarded.complaints

    assert run(work()) == (CANNOT_START, ["it was revoked"])


def test_one_whose_later_starts_are_refused_is_tried_again_and_the_reason_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = tmp_path / "starts"
    text = (
        f"if number: open({str(starts)!r}, 'a').write('x')\n"
        f"times = number and len(open({str(starts)!r}).read())\n"
        f"if 1 < times < 4: print({refusal('its port is taken')!r}); sys.exit({CANNOT_START})\n"
        "listens(); time.sleep(60)"
    )

    async def work() -> list[tuple[str, str]]:
        guarded = Guarded(tmp_path, monkeypatch, text)
        running = asyncio.create_task(guarded.guard.run())
        await guarded.reports.until("processes.started")
        first, second = guarded.pids()
        os.kill(second, signal.SIGKILL)
        found, action = list[tuple[str, str]](), ""
        while action != "process.back":
            action, fields = await guarded.reports.rows.get()
            found.append((action, fields.get("reason", "")))
        assert guarded.pids()[0] == first
        guarded.guard.end()
        await running
        return found

    assert run(work()) == [
        ("process.ended", "killed by signal 9"),
        ("process.refused", "its port is taken"),
        ("process.back", ""),
    ]
    assert starts.read_text() == "x" * 4


def test_one_that_lives_and_gives_no_more_sign_of_it_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first run of the second process gives one sign, its later ones and the other process none, so none of these is watched.
    starts = tmp_path / "starts"
    text = (
        "import socket\n"
        "signs = socket.socket(fileno=int(os.environ['TQ_MASTER_SIGNS'])); listens()\n"
        f"if number and not os.path.exists({str(starts)!r}):\n"
        f"    open({str(starts)!r}, 'w').close(); signs.send(b'READY=1\\nSTATUS=well'); signs.send(b'WATCHDOG=1')\n"
        "time.sleep(60)"
    )

    async def work() -> None:
        monkeypatch.setattr(processes, "MissedSigns", lambda: MissedSigns(5))
        guarded = Guarded(tmp_path, monkeypatch, text)
        running = asyncio.create_task(guarded.guard.run())
        silent = await guarded.reports.until("process.silent")
        assert (silent["process"], silent["seconds"]) == (1, 60)
        assert (await guarded.reports.until("process.ended"))["reason"] == "killed by signal 9"
        assert await guarded.reports.until("process.back") == {"process": 1}
        guarded.guard.end()
        await running

    run(work())


def test_the_second_signal_kills_what_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> int:
        text = "signal.signal(15, signal.SIG_IGN); listens(); time.sleep(60)"
        guarded = Guarded(tmp_path, monkeypatch, text)
        running = asyncio.create_task(guarded.guard.run())
        await guarded.reports.until("processes.started")
        guarded.guard.end()
        guarded.guard.end()
        return await running

    assert run(work()) == 1


def test_a_guard_that_is_asked_to_end_does_not_wait_for_one_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> int:
        text = "signal.signal(15, lambda *_: os._exit(0)); listens(); time.sleep(60)"
        guarded = Guarded(tmp_path, monkeypatch, text)
        monkeypatch.setattr(processes, "PAUSE_SECONDS", 10 * SECONDS)
        running = asyncio.create_task(guarded.guard.run())
        await guarded.reports.until("processes.started")
        os.kill(guarded.pids()[1], signal.SIGKILL)
        await guarded.reports.until("process.ended")
        guarded.guard.end()
        return await running

    assert run(work()) == 0


# what is refused, and what is made


def settings(data: Path, **others: Any) -> MasterSettings:
    return MasterSettings(data=data, **{"processes": 2, **others})


def ignore(action: str, **_: object) -> None:
    """A log for which no one waits."""


def test_all_shards_are_made_before_the_first_process_and_later_none_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "state"
    make_shards(settings(data, shards=3), None, DEFAULT_START, ignore)
    assert len(folders_of(data)) == 3
    monkeypatch.setattr(processes, "open_resources", None)
    make_shards(settings(data), None, DEFAULT_START, ignore)
    with pytest.raises(ConfigError, match="has 3 shards, and --shards says 4"):
        make_shards(settings(data, shards=4), None, DEFAULT_START, ignore)
    with pytest.raises(ConfigError, match=r"--processes 4 needs .* at least as many shards: .* has 3"):
        make_shards(settings(data, processes=4), None, DEFAULT_START, ignore)


def test_what_a_start_confirms_is_done_once_before_the_processes(tmp_path: Path) -> None:
    data = tmp_path / "state"
    make_shards(settings(data, shards=2), None, DEFAULT_START, ignore)
    (folders_of(data)[1] / "tq.db").unlink()
    make_shards(settings(data), None, StartOptions(new_store=True), ignore)
    assert len(folders_of(data)) == 2


def test_more_processes_than_shards_make_nothing(tmp_path: Path) -> None:
    data = tmp_path / "state"
    with pytest.raises(ConfigError, match=r"say how many at the first start, e\.g\. --shards 16"):
        make_shards(settings(data), None, DEFAULT_START, ignore)
    assert not data.exists()


def test_ports_follow_one_another_or_are_free_ones() -> None:
    places = places_of(MasterSettings(bind=Address("127.0.0.1", 6000), processes=3))
    assert {place.ports for place in places} == {(6000, 6001, 6002)}
    assert places[0].addresses == ("127.0.0.1:6000", "127.0.0.1:6001", "127.0.0.1:6002")
    named = MasterSettings(
        bind=Address("0.0.0.0", 6000),  # noqa: S104 - nothing is bound
        advertise=Address("b.example", 7000),
        processes=2,
    )
    assert places_of(named)[0].addresses == ("b.example:7000", "b.example:7001")
    free = places_of(MasterSettings(bind=Address("127.0.0.1", 0), processes=3))[0]
    assert len(set(free.ports)) == 3
    assert 0 not in free.ports
    with pytest.raises(ConfigError, match="there are none above 65535"):
        places_of(MasterSettings(bind=Address("127.0.0.1", 65_534), processes=3))
