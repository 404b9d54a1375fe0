"""What relays may hand over, and what they are answered."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.contract.outbox import OutboxSubmit
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument, ProtocolError

from ..conftest import Bench

OUTBOX = "get_outbox"
CALL = b"\x92\x90\x80"


def row(queue: str = "q", tasks: int = 1, **more: Any) -> list[Any]:
    return OutboxSubmit(
        queue, "m:f", more.pop("options", {}), [[new_ids(), [CALL] * tasks]], **more
    ).to_wire()


def test_a_relay_does_what_its_key_may_whatever_a_row_says(bench: Bench) -> None:
    relay = bench.client(("mail.*",))
    assert relay.call(OUTBOX, "hand_over", new_ids(), row("mail.out")) == 1
    with pytest.raises(Forbidden, match=r"this key may use the queues mail\.\*, not 'payroll'"):
        relay.call(OUTBOX, "hand_over", new_ids(), row("payroll"))


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        (
            [99, "q", "m:f", {}, []],
            InvalidArgument,
            "version 99, and here 1 is the latest.*Upgrade tq-master, then the relay",
        ),
        ([0, "q"], InvalidArgument, "no submit of a tq client"),
        ([True, "q"], InvalidArgument, "no submit of a tq client"),
        ([], InvalidArgument, "no submit of a tq client"),
        ([1, "q"], ProtocolError, "of an unknown form"),
        ([1, 5, "m:f", {}, []], InvalidArgument, "queue must be text"),
        ([1, "q", "m:f", {"priority": "x"}, [[b"1" * 16, CALL]]], InvalidArgument, "priority"),
    ],
)
def test_a_row_that_is_none_is_refused_with_what_it_is(
    bench: Bench, given: Any, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        bench.client().call(OUTBOX, "hand_over", new_ids(), given)


def test_a_row_that_never_fits_its_queue_is_refused_and_not_tried_without_end(bench: Bench) -> None:
    bench.client(role=Role.ADMIN).call("get_queues", "set", "q", 10)
    with pytest.raises(
        InvalidArgument, match="the row has 11 tasks, and at most 10 may wait in queue q; raise the bound"
    ):
        bench.client().call(OUTBOX, "hand_over", new_ids(), row(tasks=11))
    assert bench.client().call(OUTBOX, "hand_over", new_ids(), row(tasks=10)) == 10


def test_what_is_said_beside_the_arguments_travels(bench: Bench) -> None:
    relay, said = bench.client(), row(options={"priority": 7, "tags": {"order": "47"}})
    relay.call(OUTBOX, "hand_over", new_ids(), said)
    shown = relay.call("get_tasks", "show", said[4][0][0])
    assert (shown["priority"], shown["tags"]) == (7, {"order": "47"})


@pytest.mark.parametrize("receipt", [b"", b"1" * 15, "1" * 16, None])
def test_a_receipt_is_the_id_of_a_row(bench: Bench, receipt: Any) -> None:
    for method, args in (("hand_over", (receipt, row())), ("forget", ([receipt],))):
        with pytest.raises(InvalidArgument, match="the id of a row, 16 bytes"):
            bench.client().call(OUTBOX, method, *args)


def test_a_call_forgets_a_thousand_at_most(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="at most 1,000 receipts"):
        bench.client().call(OUTBOX, "forget", [b"1" * 16] * 1_001)
