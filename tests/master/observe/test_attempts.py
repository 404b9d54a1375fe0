"""Which worker ran what when."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.contract.rows import all_from_wire
from tq.common.contract.workers import RanRow
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.errors import InvalidArgument
from tq.master.observe import attempts

from ..conftest import Bench, Peer
from ..tasks.test_explain import lease, submit
from .test_overview import fail


def succeed(worker: Peer, *held: list[Any]) -> None:
    rows = [[*one, int(OutcomeNumber.SUCCESS), b"", 0.0, 0.1, None] for one in held]
    worker.call("get_dispatcher", "finish", rows)


def ran(bench: Bench, *args: Any, **key: Any) -> tuple[list[RanRow], bool]:
    answer = bench.client(role=Role.VIEWER, **key).call("get_workers", "attempts", *args)
    return all_from_wire(RanRow, answer["rows"]), answer["is_whole"]


def test_what_has_ended_and_what_runs_is_there_newest_first(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [first] = submit(client)
    fail(bench, worker, "no")
    [second] = submit(client)
    held = lease(worker, 1)
    worker.call("get_dispatcher", "beat", [[*held[0], 0.0]])
    bench.advance(5)
    rows, is_whole = ran(bench, 900.0)
    assert is_whole
    assert [(row.id, row.outcome, row.ended is None) for row in rows] == [
        (second, None, True),
        (first, int(OutcomeNumber.ERROR), False),
    ]
    assert {row.node for row in rows} == {worker.session.node.hex()}
    assert (rows[0].name, rows[0].queue, rows[0].attempt, rows[0].seconds) == ("m:f", "q", 1, 5.0)


def test_a_span_that_is_over_has_nothing_that_runs(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    succeed(worker, *lease(worker, 1))
    submit(client)
    held = lease(worker, 1)
    worker.call("get_dispatcher", "beat", [[*held[0], 0.0]])
    now = client.call("get_workers", "attempts", 60.0)["now"]
    bench.advance(100)
    assert [row.outcome for row in ran(bench, 60.0, now + 1)[0]] == [int(OutcomeNumber.SUCCESS)]
    assert [row.outcome for row in ran(bench, 60.0)[0]] == [None], "the other one has left the span"


def test_of_one_worker(bench: Bench) -> None:
    client = bench.client()
    workers = [bench.worker("m:f"), bench.worker("m:f")]
    for worker in workers:
        submit(client)
        succeed(worker, *lease(worker, 1))
    node = workers[1].session.node.hex()
    assert [row.node for row in ran(bench, 60.0, None, node)[0]] == [node]


def test_a_key_sees_its_own_queues_only(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    succeed(worker, *lease(worker, 1))
    submit(client)
    held = lease(worker, 1)
    worker.call("get_dispatcher", "beat", [[*held[0], 0.0]])
    assert ran(bench, 60.0, queues=("img",))[0] == []
    assert len(ran(bench, 60.0, queues=("q*",))[0]) == 2


def test_too_many_are_a_sample_of_the_whole_span(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "ROWS_MAX", 2 * attempts.PARTS)
    client, worker = bench.client(), bench.worker("m:f")
    began = client.call("get_workers", "attempts", 1.0)["now"]
    for _ in range(attempts.PARTS * 4):
        submit(client)
        succeed(worker, *lease(worker, 1))
        bench.advance(1)
    rows, is_whole = ran(bench, attempts.PARTS * 4.0)
    assert not is_whole
    assert len(rows) == 2 * attempts.PARTS
    assert rows[-1].ended is not None
    assert rows[-1].ended - began < 4, "also of its beginning"


@pytest.mark.parametrize("args", [(0,), (-1.0,), ("x",), (1.0, "x"), (60.0 * 86_400,)])
def test_a_span_that_is_none_is_refused(bench: Bench, args: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidArgument):
        ran(bench, *args)
