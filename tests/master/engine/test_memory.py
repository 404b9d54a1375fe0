"""What was not foreseen is reported as what it is."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.errors import RemoteError


def test_a_lack_of_memory_is_reported_as_that_and_not_as_a_bug(bench: Any) -> None:
    client = bench.client()

    def starved(call: Any) -> None:
        raise MemoryError

    bench.engine.call(client.session, 10_000, starved)
    bench.step()
    with pytest.raises(RemoteError, match="the master has no more memory; what was asked for is not done"):
        client.answer(10_000)
    assert "master.bug" not in [action for action, _ in bench.reports]
    assert "master.out_of_memory" in [action for action, _ in bench.reports]
    assert client.call("get_tasks", "states", [new_ids()])


def test_a_bug_is_reported_as_one(bench: Any) -> None:
    client = bench.client()

    def broken(call: Any) -> None:
        raise ZeroDivisionError("an unforeseen division")

    bench.engine.call(client.session, 10_000, broken)
    bench.step()
    with pytest.raises(RemoteError, match="the master has a bug: ZeroDivisionError"):
        client.answer(10_000)
    [(_, fields)] = [one for one in bench.reports if one[0] == "master.bug"]
    assert "Traceback" in fields["error"]
