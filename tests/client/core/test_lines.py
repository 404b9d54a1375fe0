"""The lines of an I/O thread with one shard and with several. Transports are made by hand; no sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tq
from tq.client.core.io_thread import ClientLink
from tq.client.core.transports import Opener
from tq.common.domain.shards import shard_of_name

from .test_io_thread import SECONDS, ManualOpener

SHARDS = 4
QUEUE = "{b}x"
HOME = shard_of_name(QUEUE, SHARDS)


class Openers:
    """One for each shard."""

    def __init__(self, shards: int) -> None:
        self.of: dict[int, ManualOpener] = {}
        self._shards = shards

    def __call__(self, shard: int) -> Opener:
        return self.of.setdefault(shard, ManualOpener(self._shards)).open


@pytest.fixture
def openers() -> Openers:
    return Openers(SHARDS)


@pytest.fixture
def link(openers: Openers) -> Iterator[ClientLink]:
    link = ClientLink(openers(0), stream="default", connect_seconds=0.2, of_shard=openers)
    yield link
    link.close()


def size(link: ClientLink, queue: str = QUEUE) -> Any:
    return link.call(("get_queue", queue, "fifo"), "size", (), repeatable=True)


def test_the_first_connection_says_how_many_shards_there_are_and_is_no_call(
    link: ClientLink, openers: Openers
) -> None:
    asked = link.ask_shards()
    assert asked.result(SECONDS) == SHARDS
    assert openers.of[0].transport().sent == []


def test_what_was_asked_before_goes_to_its_shard_on_a_line_of_its_own(
    link: ClientLink, openers: Openers
) -> None:
    future = size(link)
    assert link.ask_shards().result(SECONDS) == SHARDS
    transport = openers.of[HOME].transport()
    transport.answer(transport.next(), 3)
    assert future.result(SECONDS) == 3
    assert openers.of[0]._transports[0].sent == []


def test_one_shard_that_is_away_keeps_no_call_of_another_waiting(link: ClientLink, openers: Openers) -> None:
    assert link.ask_shards().result(SECONDS) == SHARDS
    openers(HOME)
    openers.of[HOME].always = tq.Unreachable("refused")
    with pytest.raises(tq.Unreachable, match="refused"):
        size(link).result(SECONDS)
    other = next(name for name in "abcdefgh" if shard_of_name(name, SHARDS) not in (0, HOME))
    future = size(link, other)
    openers(shard_of_name(other, SHARDS))
    transport = openers.of[shard_of_name(other, SHARDS)].transport()
    transport.answer(transport.next(), 1)
    assert future.result(SECONDS) == 1


def test_when_the_link_is_closed_every_call_is_over_also_those_to_all_shards(
    link: ClientLink, openers: Openers
) -> None:
    assert link.ask_shards().result(SECONDS) == SHARDS
    futures = [size(link), link.call(("get_queues",), "list", (), repeatable=True)]
    link.close()
    late = [size(link), link.call(("get_queues",), "list", (), repeatable=True)]
    for future in futures + late:
        with pytest.raises(tq.Unreachable):
            future.result(SECONDS)


def test_with_one_shard_a_call_goes_on_without_another_step() -> None:
    opener = ManualOpener()
    link = ClientLink(opener.open, stream="default", connect_seconds=0.2)
    try:
        assert link.ask_shards().result(SECONDS) == 1
        assert link.lines.make == link.lines.first.pending.call
        assert link.lines.several is None
    finally:
        link.close()
