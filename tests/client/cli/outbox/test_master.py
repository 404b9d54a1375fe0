"""The relay's calls: made once, on the connection that there is."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
import tq
from tq.client.cli.outbox.master import MasterHands
from tq.common.contract.table import is_repeatable
from tq.common.errors import ConfigError, UnknownObject, Unreachable

from ...conftest import MasterInMemory


def test_a_master_that_knows_no_outbox_is_said_to_be_older(app: tq.App, master: MasterInMemory) -> None:
    master.refusals["forget"] = UnknownObject("there is no get_outbox")
    with pytest.raises(
        ConfigError, match="is older than this relay and takes no rows of an outbox; upgrade tq-master"
    ):
        MasterHands(app).reach()


def test_a_lost_hand_over_is_not_repeated_on_the_next_connection(app: tq.App, master: MasterInMemory) -> None:
    def hand_over(answer: Future[Any], id: bytes, row: list[Any]) -> int:
        return 1

    master._get_outbox_hand_over = hand_over  # type: ignore[attr-defined]
    hands = MasterHands(app)
    assert hands.hand_over(b"1" * 16, [1]).result(10) == 1
    master.losses["hand_over"] = 1
    with pytest.raises(Unreachable):
        hands.hand_over(b"2" * 16, [1]).result(10)
    assert len(master.made("hand_over")) == 2
    assert not is_repeatable("get_outbox", "hand_over")


def test_what_is_under_way_is_dropped_and_the_next_call_goes_on_a_new_link(
    app: tq.App, master: MasterInMemory
) -> None:
    calls: list[Future[Any]] = []

    def hand_over(answer: Future[Any], id: bytes, row: list[Any]) -> Future[Any]:
        calls.append(answer)
        return answer

    master._get_outbox_hand_over = hand_over  # type: ignore[attr-defined]
    hands = MasterHands(app)
    answer = hands.hand_over(b"1" * 16, [1])
    hands.drop()
    with pytest.raises(Unreachable, match="the relay has given up"):
        answer.result(10)
