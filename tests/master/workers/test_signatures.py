"""What workers say of the parameters of their tasks, kept as it came."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.contract.signatures import ASKED_MAX, SIGNATURE_BYTES_MAX, SIGNATURES_BYTES_MAX
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, ProtocolError
from tq.master.engine.accounts import Resource
from tq.master.workers.membership import Membership

from ..conftest import Peer


def test_a_question_is_answered_with_what_connected_workers_say_most_of_them_first(make_bench: Any) -> None:
    bench = make_bench()
    client, workers = bench.client(), [bench.worker("m:f", "m:g") for _ in range(4)]
    for worker, said in zip(workers, (b"new", b"old", b"new", b"gone"), strict=True):
        worker.call("get_dispatcher", "describe", [["m:f", said]])
    workers[3].close()
    assert client.call("get_workers", "signatures", ["m:f", "m:g", "m:h"]) == [
        [[b"new", 2], [b"old", 1]],
        [],
        [],
    ]


def test_what_a_worker_says_of_tasks_that_it_has_not_is_passed_over(make_bench: Any) -> None:
    bench = make_bench()
    worker = bench.worker("m:f")
    worker.call("get_dispatcher", "describe", [["m:f", b"1"], ["m:other", b"2"]])
    [one] = bench.engine.part(Membership).by_number.values()
    assert one.signatures == {"m:f": b"1"}


def test_it_is_on_the_account_of_its_key_and_goes_with_the_next_announcement(make_bench: Any) -> None:
    bench = make_bench()
    worker = bench.worker("m:f")
    [one] = bench.engine.part(Membership).by_number.values()
    account = worker.session.account
    before = account.held[Resource.ANNOUNCED_BYTES]
    for _ in range(3):  # the same twice costs nothing
        worker.call("get_dispatcher", "describe", [["m:f", b"x" * 1_000]])
    assert 1_000 < account.held[Resource.ANNOUNCED_BYTES] - before < 1_200
    info = {"host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": ["m:f"], "queues": None, "version": "1"}
    worker.call("get_dispatcher", "announce", info, [])
    assert one.signatures == {}
    assert account.held[Resource.ANNOUNCED_BYTES] <= before


@pytest.mark.parametrize(
    "rows",
    [
        7,
        [["m:f"]],
        [[1, b""]],
        [["m:f", "text"]],
        [["m:f", b"x" * (SIGNATURE_BYTES_MAX + 1)]],
        [["m:f", b""]] * 1_001,
    ],
)
def test_what_is_no_signature_is_refused(make_bench: Any, rows: Any) -> None:
    with pytest.raises(InvalidArgument):
        make_bench().worker("m:f").call("get_dispatcher", "describe", rows)


def test_all_of_a_worker_are_bounded_and_so_is_a_question(make_bench: Any) -> None:
    bench = make_bench()
    names = [f"m:f{number}" for number in range(SIGNATURES_BYTES_MAX // SIGNATURE_BYTES_MAX + 1)]
    worker = bench.worker(*names)
    with pytest.raises(InvalidArgument, match="more than 1,048,576 bytes"):
        worker.call("get_dispatcher", "describe", [[name, b"x" * SIGNATURE_BYTES_MAX] for name in names])
    with pytest.raises(InvalidArgument, match="at most 20"):
        bench.client().call("get_workers", "signatures", names[: ASKED_MAX + 1])


def test_only_a_worker_that_is_announced_describes_its_tasks(make_bench: Any) -> None:
    with pytest.raises(ProtocolError, match="announce"):
        Peer(make_bench(), Role.WORKER, new_ids()).call("get_dispatcher", "describe", [])
