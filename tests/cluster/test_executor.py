"""``tq.Executor`` over real programs."""

from __future__ import annotations

import math
from concurrent.futures import as_completed

import pytest
import tq

from .conftest import WorkerFactory
from .programs import Master


def test_functions_of_the_standard_library_run_where_they_are_allowed(
    master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory(options=("--allow", "math.*"))
    with tq.Executor(master.url, master.authkey) as executor:
        assert list(executor.map(math.sqrt, [4.0, 9.0])) == [2.0, 3.0]
        assert list(executor.map(math.pow, range(1_000), [2] * 1_000, chunksize=100)) == [
            number**2 for number in range(1_000)
        ]
        with pytest.raises(ValueError, match="math domain error"):
            executor.submit(math.sqrt, -1.0).result(20)
        with pytest.raises(tq.Forbidden, match=r"--allow 'cmath\.\*'|--allow 'cmath.sqrt'"):
            executor.submit(__import__("cmath").sqrt, -1.0)


def test_tasks_of_a_served_module_need_no_permission_and_outlive_a_killed_master(
    master: Master, worker_factory: WorkerFactory
) -> None:
    worker_factory()
    app = tq.App(master.url, master.authkey)
    add = app.task(name="cluster_tasks:add")(lambda a, b: a + b)
    with app, tq.Executor(app=app) as executor:
        futures = [executor.submit(add, number, 1) for number in range(300)]
        assert futures[0].result(20) == 1
        master.kill()
        master.start()
        assert sorted(future.result() for future in as_completed(futures, 30)) == list(range(1, 301))
