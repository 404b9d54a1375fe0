"""Three masters that share the four shards of one PostgreSQL, while tasks are submitted to each: one comes, ends, is killed, stands still."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tq.client.cli.masters import of_cluster
from tq.master.store.postgres.tenure import LEASE_SECONDS

from .. import postgres
from ..cluster.programs import Master, eventually, let_pass, stalled
from .several_masters import SERVES, STANDS_BY, MastersTrial, NewTrial
from .shard_load import ShardLoad
from .tally import Tally
from .trial import SECONDS

pytestmark = [pytest.mark.few, pytest.mark.timeout(900)]
SHARDS = 4
OWNERS = "SELECT split_part(split_part(owner, ':', 2), '-', 1)::int, count(*) FROM tq.shards WHERE until > clock_timestamp() GROUP BY 1"


def even(trial: MastersTrial, masters: int) -> None:
    """Until each of so many has its part."""
    part, more = divmod(SHARDS, masters)
    wanted = [part] * (masters - more) + [part + 1] * more
    eventually(lambda: sorted(count for _, count in trial.ask(OWNERS)) == wanted, SECONDS)


def the_one_with_most(trial: MastersTrial) -> Master:
    pid, _ = max(trial.ask(OWNERS), key=lambda row: row[1])
    return next(one for one in trial.masters if one.pid == pid)


@pytest.mark.parametrize("fault", ["ends", "killed", "stands still"])
def test_shards_move_and_come_back_and_no_task_is_lost_or_runs_twice(
    whole_run: None,
    masters_trial: NewTrial,
    fault_server: postgres.PostgresServer,
    times: Callable[[int], int],
    tally: Tally,
    fault: str,
) -> None:
    url = fault_server.create(f"shares_{time.time_ns()}")
    with masters_trial(f"one of three that share shards {fault}", url) as trial:
        shares = ("--shards", str(SHARDS))
        trial.start(options=[shares] * 3, pattern=f"{SERVES}|{STANDS_BY}")
        trial.worker(slots=4)
        app = trial.recording_app()
        even(trial, 3)
        load = ShardLoad(app, SHARDS, trial.home / "notes of the shards")
        longest = 0.0
        with load:
            rounds = times(4)
            for _ in range(rounds):
                load.goes_on()
                since, chosen = time.monotonic(), the_one_with_most(trial)
                if fault == "ends":
                    assert chosen.terminate() == 0
                elif fault == "killed":
                    chosen.kill()
                else:
                    with stalled([chosen.pid]):
                        even(trial, 2)
                        let_pass(max(0.0, since + 3 * LEASE_SECONDS - time.monotonic()))
                if fault != "stands still":
                    even(trial, 2)
                    load.goes_on()
                    trial.launch(chosen)
                even(trial, 3)
                load.goes_on()
                longest = max(longest, *load.pauses(since))
            rows = [one.shards or [] for one in of_cluster(app) if one.serves]
            assert sorted(shard for shards in rows for shard in shards) == list(range(SHARDS))
        report = load.report()
        tally.add(trial.fault, report, times=rounds, recovery=longest)
        assert not report.violations
        assert not report.extra_starts or fault == "stands still"


def test_shards_move_to_a_master_that_comes_one_after_the_other_and_each_pauses_for_a_moment(
    whole_run: None,
    masters_trial: NewTrial,
    fault_server: postgres.PostgresServer,
    times: Callable[[int], int],
    tally: Tally,
) -> None:
    url = fault_server.create(f"comes_{time.time_ns()}")
    with masters_trial("a third master comes to two that share shards", url) as trial:
        shares = ("--shards", str(SHARDS))
        trial.start(options=[shares] * 3, pattern=f"{SERVES}|{STANDS_BY}")
        trial.worker(slots=4)
        app = trial.recording_app()
        coming = trial.masters[-1]
        load = ShardLoad(app, SHARDS, trial.home / "notes of the shards")
        longest = 0.0
        even(trial, 3)
        with load:
            rounds = times(6)
            for _ in range(rounds):
                assert coming.terminate() == 0
                even(trial, 2)
                load.goes_on()
                since = time.monotonic()
                trial.launch(coming)
                even(trial, 3)
                load.goes_on()
                longest = max(longest, *load.pauses(since))
        report = load.report()
        tally.add(trial.fault, report, times=rounds, recovery=longest)
        assert not report.violations
        assert not report.extra_starts
