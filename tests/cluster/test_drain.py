"""Ending in good order: a worker's first and second signal, the master's, and a line that keeps breaking."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import tq

from .cluster_tasks import count
from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import Master, eventually, run_program
from .proxy import Proxy

SECONDS = 30.0
MANY = 500


class Held:
    """Tasks that run until the test releases them; each leaves a line with its process id when it starts."""

    def __init__(self, app: tq.App, folder: Path, tasks: int, **options: Any) -> None:
        self._started, self._release = folder / "started", folder / "release"
        hold = app.named("cluster_tasks:hold", **options)
        self.handles = [hold.submit(str(self._started), str(self._release)) for _ in range(tasks)]

    @property
    def starts(self) -> int:
        return count(str(self._started))

    def wait_for_starts(self, number: int) -> None:
        eventually(lambda: self.starts == number)

    def let_go(self) -> None:
        self._release.touch()

    def outcomes(self) -> list[list[str]]:
        return [[str(attempt.outcome) for attempt in handle.attempts] for handle in self.handles]


# a worker


def test_a_terminated_worker_finishes_what_runs_and_hands_back_the_rest_uncharged(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=2)
    held = Held(app, tmp_path, tasks=6)
    held.wait_for_starts(2)
    worker.signal(signal.SIGTERM)
    eventually(lambda: "worker.draining" in worker.log)
    assert worker.running
    held.let_go()
    assert worker.wait() == 0
    states = [handle.state for handle in held.handles]
    assert states == [tq.State.SUCCEEDED] * 2 + [tq.State.READY] * 4
    assert held.starts == 2
    worker_factory(slots=2)
    assert all(handle.result(timeout=SECONDS) for handle in held.handles)
    assert [attempts[-1] for attempts in held.outcomes()] == ["success"] * 6
    assert not {"crash", "lost", "error"} & {name for attempts in held.outcomes() for name in attempts}


def test_a_draining_worker_takes_nothing_new(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=2)
    held = Held(app, tmp_path, tasks=1)
    held.wait_for_starts(1)
    worker.signal(signal.SIGINT)
    eventually(lambda: "worker.draining" in worker.log)
    later = app.submit("cluster_tasks:add", 1, 1)
    other = worker_factory(slots=1)
    assert later.result(timeout=SECONDS) == 2
    assert other.running
    assert worker.running
    held.let_go()
    assert worker.wait() == 0


def test_a_second_signal_hands_everything_back_at_once(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=2)
    held = Held(app, tmp_path, tasks=4)
    held.wait_for_starts(2)
    family = worker.children()
    worker.signal(signal.SIGTERM)
    eventually(lambda: "worker.draining" in worker.log)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 1
    _, alive = psutil.wait_procs(family, timeout=SECONDS)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
    assert [handle.state for handle in held.handles] == [tq.State.READY] * 4
    held.let_go()
    worker_factory(slots=2)
    assert all(handle.result(timeout=SECONDS) for handle in held.handles)
    assert not {"crash", "lost", "error"} & {name for attempts in held.outcomes() for name in attempts}


def test_a_second_signal_starts_no_at_most_once_task_again(
    app: tq.App, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=1)
    held = Held(app, tmp_path, tasks=1, delivery="at_most_once")
    held.wait_for_starts(1)
    worker.signal(signal.SIGTERM)
    eventually(lambda: "worker.draining" in worker.log)
    worker.signal(signal.SIGTERM)
    worker.wait()
    held.let_go()
    worker_factory(slots=1)
    with pytest.raises(tq.TaskLost, match="its worker was stopped"):
        held.handles[0].result(timeout=SECONDS)
    assert held.starts == 1


def test_a_worker_drained_without_a_master_waits_to_deliver(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=1)
    held = Held(app, tmp_path, tasks=1)
    held.wait_for_starts(1)
    master.kill()
    worker.signal(signal.SIGTERM)
    held.let_go()
    eventually(lambda: "worker.draining" in worker.log)
    master.start()
    assert worker.wait() == 0
    assert held.handles[0].result(timeout=SECONDS)
    assert held.outcomes() == [["success"]]


# the master


def test_a_terminated_master_ends_well_and_loses_nothing(
    app: tq.App, master: Master, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker_factory(slots=2)
    held = Held(app, tmp_path, tasks=4)
    held.wait_for_starts(2)
    assert master.terminate() == 0
    assert "master.draining" in master.log
    assert "master.stopped" in master.log
    held.let_go()
    master.start()
    assert all(handle.result(timeout=SECONDS) for handle in held.handles)
    assert held.outcomes() == [["success"]] * 4
    assert held.starts == 4


def test_a_terminated_master_has_committed_all_it_acknowledged(
    master: Master, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.authkey)
    ids = [handle.id for handle in app.named("cluster_tasks:add").starmap((n, 0) for n in range(200))]
    assert master.terminate() == 0
    master.start()
    later = app_factory(master.url, master.authkey)
    assert {later.get(id).state for id in ids} == {tq.State.READY}


def test_a_master_without_clients_ends_at_once(master_factory: MasterFactory) -> None:
    master = master_factory()
    assert master.terminate() == 0


# a line that breaks again and again


@pytest.mark.parametrize("who", ["worker", "client"])
def test_connections_reset_again_and_again_lose_and_double_nothing(
    app: tq.App,
    master: Master,
    proxy: Proxy,
    worker_factory: WorkerFactory,
    app_factory: AppFactory,
    tmp_path: Path,
    who: str,
) -> None:
    path = tmp_path / "starts"
    worker_factory(address=proxy.address if who == "worker" else master.address)
    if who == "client":
        app = app_factory(f"tq://{proxy.address}", master.authkey)
    noted = app.named("cluster_tasks:noted", max_crashes=100)
    handles = noted.starmap((str(path), number, 0.002) for number in range(MANY))
    cuts = 0
    for part in range(MANY // 10, MANY, MANY // 10):
        eventually(lambda part=part: count(str(path)) >= part, SECONDS)  # type: ignore[misc]
        proxy.cut()
        cuts += 1
    assert list(handles.results(timeout=SECONDS)) == list(range(MANY))
    assert handles.states() == Counter({tq.State.SUCCEEDED: MANY})
    assert proxy.accepted > 3
    assert cuts == 9
    starts = Counter(path.read_text().split())
    assert set(starts) == set(map(str, range(MANY)))
    if who == "client":  # a worker that stayed away longer than its grace may be given up, and rightly so
        assert set(starts.values()) == {1}


def test_a_drain_over_a_line_that_broke_hands_everything_back(
    app: tq.App, proxy: Proxy, worker_factory: WorkerFactory, tmp_path: Path
) -> None:
    worker = worker_factory(slots=1, address=proxy.address)
    held = Held(app, tmp_path, tasks=3)
    held.wait_for_starts(1)
    proxy.turn_away()
    worker.signal(signal.SIGTERM)
    held.let_go()
    eventually(lambda: "worker.draining" in worker.log)
    proxy.let_in()
    assert worker.wait() == 0
    assert [handle.state for handle in held.handles] == [tq.State.SUCCEEDED] + [tq.State.READY] * 2


# how programs say that they cannot start


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["no_such_module"], 2, "there is no module 'no_such_module'"),
        (["nowhere.py"], 2, "there is no file nowhere.py"),
        ([], 2, "nothing to serve; name a module or a file"),
        (["os"], 2, "os offers no tasks"),
    ],
)
def test_a_worker_that_has_nothing_to_serve_says_so_and_ends(
    home: Path, arguments: list[str], status: int, words: str
) -> None:
    done = run_program(
        "tq-worker", "--connect", "127.0.0.1:9", *arguments, home=home, environment={"TQ_AUTHKEY": "key"}
    )
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_whose_key_is_refused_ends_with_status_4(master: Master, home: Path) -> None:
    (home / "served.py").write_text("import tq\napp = tq.App()\n@app.task\ndef f(): pass\n")
    done = run_program(
        "tq-worker",
        "--connect",
        master.address,
        "--slots",
        1,
        "served.py",
        home=home,
        environment={"TQ_AUTHKEY": "wrong"},
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("tq-worker: ")
