"""What a call is refused with: words about any value, and nothing that reaches beyond the call."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import TqError


def test_a_value_nested_too_deep_to_be_shown_costs_the_call_that_sent_it(bench: Any) -> None:
    """What a frame may hold is deeper than what ``repr`` can write: refusing it must not raise in everybody's transaction."""
    deep: Any = None
    for _ in range(1_000):
        deep = [deep]
    calls = [
        (("get_queue", "q"), "task_done", b"p" * 16, deep),
        (("get_result_queue", "q"), "collect", deep),
        (("get_task_queue", "q"), "submit", "m:f", {"retries": deep}, []),
        (("get_task_queue", "q"), "submit", deep, {}, []),
        (("get_queue", deep), "size"),
        (("get_lock", "l", deep), "state"),
    ]
    other = bench.client()
    for target, method, *arguments in calls:
        peer = bench.client()
        mine = other.ask(("get_queue", "q"), "put", b"p" * 16, 1, b"", False)
        with pytest.raises(TqError):
            peer.call(target, method, *arguments)
        bench.step()  # what names no object is refused before a transaction begins
        assert other.answer(mine) is True
    assert [action for action, _ in bench.reports if action == "master.bug"] == []
