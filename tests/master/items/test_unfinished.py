"""Unfinished items: ``join`` waits for them, and a repeated ``task_done`` counts once."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import InvalidArgument

from ..conftest import OpenKept
from .test_items import QUEUE, Putter


def test_join_waits_until_every_item_is_done(bench: Any) -> None:
    client = bench.client()
    putter = Putter(client)
    assert client.call(QUEUE, "join") is None
    putter.put(b"a")
    putter.put(b"b")
    waiting = client.ask(QUEUE, "join")
    putter.task_done()
    assert waiting not in client.answers
    putter.task_done()
    assert client.answer(waiting) is None
    with pytest.raises(InvalidArgument, match=r"task_done\(\) called too many times"):
        putter.task_done()


def test_a_repeated_task_done_counts_once_also_after_a_restart(make_bench: Any, open_kept: OpenKept) -> None:
    before = make_bench(open_kept())
    putter = Putter(before.client())
    putter.put(b"a")
    putter.put(b"b")
    for _ in range(2):
        putter.task_done(number=3)
    before.engine.store.close()
    putter.peer = make_bench(open_kept()).client()
    putter.task_done(number=3)
    assert putter.peer.call(QUEUE, "size") == [2, 0, "fifo", 1]
    putter.task_done(number=4)
    with pytest.raises(InvalidArgument, match="too many times"):
        putter.task_done(number=5)
    putter.put(b"c", number=5)
    assert putter.peer.call(QUEUE, "size") == [3, 0, "fifo", 1]
