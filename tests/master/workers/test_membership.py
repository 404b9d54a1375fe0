"""What a master knows of its workers, for as long as they are connected."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber
from tq.common.errors import InvalidArgument
from tq.master.workers.membership import Membership


def test_a_worker_that_is_connected_for_longer_than_results_are_kept_keeps_its_number(
    make_bench: Any,
) -> None:
    bench = make_bench(result_ttl_ms=60_000)
    client, first = bench.client(), bench.worker("m:f")
    bench.advance(1)
    bench.worker("m:f").close()  # the row with the highest number stays in any case
    client.call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]])
    lease_id, [(*_, [(id, attempt, *_)])] = first.call("get_dispatcher", "lease", 1)
    first.call(
        "get_dispatcher", "finish", [[id, attempt, lease_id, int(OutcomeNumber.SUCCESS), b"", 0.0, 0.1, None]]
    )
    for _ in range(30):
        bench.advance(5)
        first.call("get_dispatcher", "beat", [])
    second = bench.worker("m:f")
    workers = bench.engine.part(Membership).by_number
    assert {one.node for one in workers.values()} >= {first.session.node, second.session.node}
    assert {number: node for number, node, _, _ in bench.engine.store.load().workers} == {
        number: one.node for number, one in workers.items()
    }


def test_a_beat_says_how_many_tasks_a_worker_runs_at_a_time_from_now_on(make_bench: Any) -> None:
    bench = make_bench()
    worker = bench.worker("m:f")
    [one] = bench.engine.part(Membership).by_number.values()
    before = one.info.slots
    worker.call("get_dispatcher", "beat", [], {"slots": before + 7})
    worker.call("get_dispatcher", "beat", [], {"memory_bytes": 5})  # what it does not say stays
    assert one.info.slots == before + 7
    for wrong in (0, -1, 65_537, True, "8", None):
        with pytest.raises(InvalidArgument, match="slots is a number from 1 to 65,536"):
            worker.call("get_dispatcher", "beat", [], {"slots": wrong})
