"""What `tq show` says of a task with a key: which submits meet it, and until when."""

from __future__ import annotations

import pytest
from tq.common.domain.model import Role
from tq.common.domain.unique import cached

from ..conftest import Bench, Peer
from .test_explain import finish, lease
from .test_unique_call import submit_many


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def test_show_says_which_submits_meet_it(bench: Bench, client: Peer) -> None:
    [first] = submit_many(client, ["a"], cached(60, None))
    shown = client.call("get_tasks", "show", first)["unique"]
    assert (shown["key"], shown["meets"], shown["until"]) == ("a", True, None)
    assert shown["states"] == ["ready", "scheduled", "blocked", "running", "succeeded"]
    worker = bench.worker("m:f")
    finish(worker, lease(worker, 1))
    shown = client.call("get_tasks", "show", first)["unique"]
    assert (shown["meets"], shown["until"]) == (True, bench.now.wall / 1000 + 60)
    bench.advance(61)
    assert client.call("get_tasks", "show", first)["unique"]["meets"] is False
    submit_many(client, ["a"], cached(60, None))
    assert client.call("get_tasks", "show", first)["unique"] is None
