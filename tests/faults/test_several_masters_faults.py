"""Several masters over one PostgreSQL: killed, stopped, cut off, with wrong clocks, one after the other and all at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from tq.master.store.postgres.tenure import LEASE_SECONDS

from .. import postgres
from ..cluster.programs import END_SECONDS, Master, eventually, free_port, let_pass, stalled
from ..cluster.proxy import Proxy
from .load import Load
from .several_masters import PASS_ON, MastersTrial, NewTrial, through
from .trial import SECONDS

pytestmark = [pytest.mark.few, pytest.mark.timeout(900)]
HOUR = 3_600
PASSES = 50
HALF_OPEN_SECONDS = 3 * LEASE_SECONDS


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def over_tcp(port: int) -> Iterator[postgres.PostgresServer]:
    """A server that a proxy can be put before, and that can be killed."""
    postgres.require()
    server = postgres.PostgresServer(durable=True, port=port)
    try:
        server.start()
        yield server
    finally:
        server.close()


def workers(trial: MastersTrial, count: int = 2) -> None:
    for _ in range(count):
        trial.worker()


def until_displaced(master: Master, before: int) -> None:
    """Once more than so often, by its log."""
    eventually(lambda: master.log.count("master.displaced") > before, SECONDS)


def test_an_owner_that_is_killed_is_followed_by_another_and_nothing_is_lost(
    whole_run: None,
    masters_trial: NewTrial,
    fault_server: postgres.PostgresServer,
    times: Callable[[int], int],
) -> None:
    with masters_trial(
        "kill -9 owner, of three masters", fault_server.create(f"kills_{time.time_ns()}")
    ) as trial:
        trial.start()
        workers(trial)
        with Load(trial) as load:
            kills = times(10)
            for _ in range(kills):
                load.goes_on(50)
                owner = trial.serving()
                owner.kill()
                since = time.monotonic()
                load.goes_on(100)
                trial.recovered(since)
                trial.launch(owner)
        load.hear()
        trial.judge(times=kills)


def test_an_owner_that_stood_still_for_three_leases_is_refused_and_stands_by(
    whole_run: None,
    masters_trial: NewTrial,
    fault_server: postgres.PostgresServer,
    times: Callable[[int], int],
) -> None:
    with masters_trial(
        "SIGSTOP owner, three leases", fault_server.create(f"stops_{time.time_ns()}")
    ) as trial:
        trial.start()
        workers(trial)
        with Load(trial) as load:
            stops = times(4)
            for _ in range(stops):
                load.goes_on(50)
                owner = trial.serving()
                before = owner.log.count("master.displaced")
                since = time.monotonic()
                with stalled([owner.pid]):
                    other = trial.serving(but=owner)
                    load.goes_on(100)
                    trial.recovered(since)
                    let_pass(max(0.0, since + 3 * LEASE_SECONDS - time.monotonic()))
                until_displaced(owner, before)
                load.goes_on(100)
                assert trial.serving() is other
        load.hear()
        trial.judge(times=stops)


def test_everything_is_killed_at_once_and_begins_again(
    whole_run: None, masters_trial: NewTrial, over_tcp: postgres.PostgresServer, times: Callable[[int], int]
) -> None:
    with masters_trial("kill -9 masters, workers and database", over_tcp.url()) as trial:
        trial.start()
        slaves = [trial.worker(), trial.worker()]
        with Load(trial) as load:
            kills = times(3)
            for _ in range(kills):
                load.goes_on(50)
                over_tcp.kill()
                for program in (*trial.masters, *slaves):
                    program.signal(signal.SIGKILL)
                for program in (*trial.masters, *slaves):
                    program.wait(END_SECONDS)
                over_tcp.start()
                since = time.monotonic()
                for master in trial.masters:
                    trial.launch(master)
                for worker in slaves:
                    worker.start()
                load.goes_on(100)
                trial.recovered(since)
        load.hear()
        trial.judge(times=kills)


@pytest.mark.parametrize("between", ["client", "worker", "database"])
def test_lines_that_are_cut_and_half_open_lose_nothing(
    whole_run: None,
    masters_trial: NewTrial,
    over_tcp: postgres.PostgresServer,
    port: int,
    times: Callable[[int], int],
    between: str,
) -> None:
    url = over_tcp.url()
    proxies: list[Proxy] = []
    with masters_trial(f"{between}'s line cut, and half-open for three leases", url) as trial:
        try:
            if between == "database":
                proxies += [Proxy(port) for _ in range(3)]
                trial.start(urls=[through(proxy, url) for proxy in proxies])
            else:
                trial.start()
                proxies += [Proxy(master.port) for master in trial.masters]
            behind = ",".join(proxy.address for proxy in proxies)
            for _ in range(2):
                trial.worker(address=behind if between == "worker" else None)
            witness = trial.witness(f"tq://{behind}") if between == "client" else trial.witness()
            with Load(trial, witness) as load:
                rounds = times(4)
                for number in range(rounds):
                    load.goes_on(50)
                    proxy = proxies[trial.masters.index(trial.serving())]
                    if number % 2:
                        proxy.hold_up()
                        let_pass(HALF_OPEN_SECONDS)
                        proxy.let_flow()
                    proxy.cut()
                    since = time.monotonic()
                    load.goes_on(50)
                    trial.recovered(since, "acknowledged" if between == "client" else "accepted")
            load.hear()
            trial.judge(times=rounds)
        finally:
            for proxy in proxies:
                proxy.close()


def test_a_master_whose_clock_is_an_hour_wrong_takes_over_and_gives_back(
    whole_run: None,
    masters_trial: NewTrial,
    fault_server: postgres.PostgresServer,
    times: Callable[[int], int],
) -> None:
    with masters_trial(
        "a master's clock an hour off, take-over", fault_server.create(f"clocks_{time.time_ns()}")
    ) as trial:
        trial.start(masters=2)
        workers(trial)
        witness = trial.witness()
        with Load(trial) as load:
            changes = times(4)
            for number in range(changes):
                kept = witness.submit("nowhere:task", [()], expires=2 * HOUR)
                load.goes_on(20)
                owner = trial.serving()
                [other] = [one for one in trial.masters if one is not owner]
                (other.data.parent / "clock").write_text(str(HOUR if number % 4 < 2 else -HOUR))
                os.kill(other.pid, signal.SIGUSR2)
                since = time.monotonic()
                assert owner.terminate() == 0
                trial.serving(but=owner)
                load.goes_on(100)
                trial.recovered(since)
                assert [str(state) for state in witness.read(kept)] == ["ready"], "it has not expired"
                witness.cancel(kept)
                trial.launch(owner)
        load.hear()
        trial.judge(times=changes)


def test_the_state_is_taken_over_fifty_times(
    masters_trial: NewTrial, fault_server: postgres.PostgresServer, times: Callable[[int], int]
) -> None:
    with masters_trial(
        "50 take-overs, one after the other", fault_server.create(f"passes_{time.time_ns()}")
    ) as trial:
        trial.start()
        workers(trial)
        with Load(trial) as load:
            passes = times(PASSES)
            load.goes_on(20)
            for _ in range(passes):
                trial.serving()
                trial.ask(PASS_ON)
            trial.serving()
            since = time.monotonic()
            load.goes_on(100)
            trial.recovered(since)
        load.hear()
        trial.judge(times=passes)
