"""``tq strike`` on a real cluster: what an operator holds back by an argument, over a kill of the master."""

from __future__ import annotations

from pathlib import Path

import pytest
import tq

from .conftest import MasterFactory, WorkerFactory
from .programs import eventually
from .test_commands import parsed, runner, well

LETTERS = 12


def send(path: str, to: int) -> None:
    """As its program has it: ``cluster_tasks:noted`` is what the worker runs."""


@pytest.mark.timeout(120)  # two masters, a worker and three commands are started
def test_what_is_struck_by_its_argument_starts_when_the_strike_is_removed_and_not_before(
    master_factory: MasterFactory, worker_factory: WorkerFactory, home: Path, tmp_path: Path
) -> None:
    master, starts = master_factory(), tmp_path / "starts"
    run = runner(master, home)
    with tq.App(master.url, master.authkey) as app:
        task = app.task(send, name="cluster_tasks:noted", index=["to"])
        letters = task.starmap([(str(starts), number % 4) for number in range(LETTERS)])
        alone = task.submit(str(starts), 3)
        condition = "task=cluster_tasks:noted arg.to=3"
        said = well(run("strike", "add", condition, "--for", "1h", "--reason", "they block us"))
        assert said == (
            f"strike 1 holds back {condition.replace(' ', ' and ')} for 60 min: {LETTERS // 4 + 1} tasks wait now\n"
        )
        later = task.submit(str(starts), 3)
        master.restart()
        worker_factory(address=master.address, authkey=master.authkey)
        others = [handle for number, handle in enumerate(letters) if number % 4 != 3]
        for handle in others:
            handle.result(timeout=60)
        # Behind the held ones: when it has run, nothing of them is on its way either.
        task.submit(str(starts), 0).result(timeout=60)
        assert "3" not in starts.read_text("utf-8").split()
        [row] = parsed(run("strike", "ls", "--json"))
        assert (row["waiting"], row["comparing"]) == (LETTERS // 4 + 2, False)
        well(run("strike", "rm", 1))
        for handle in (*letters, alone, later):
            handle.result(timeout=60)
        assert eventually(lambda: starts.read_text("utf-8").split().count("3")) == LETTERS // 4 + 2
