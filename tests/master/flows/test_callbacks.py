"""Callbacks of flows: which are made after which end, once in each run, and by whose rights."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tq.common.domain.ids import show_id
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument, StoreError
from tq.common.wire.frames import unpack
from tq.master.flows import callbacks as module
from tq.master.flows.callbacks import fits
from tq.master.keys.keyring import Keyring

from ..conftest import Peer
from .conftest import FLOW, FLOWS, Flowing

KINDS = ("then", "catch", "finally")


def call_back(flowing: Flowing, kind: str, peer: Peer | None = None, queue: str = "default") -> None:
    token = kind.encode().ljust(16, b"-")
    (peer or flowing.client).call(
        FLOWS, "call_back", FLOW, token, kind, queue, f"jobs:{kind}", {"priority": 7}
    )


def made(flowing: Flowing) -> list[str]:
    """The callbacks that were made, oldest first."""
    rows = flowing.client.call("get_tasks", "list", {}, 100)
    return [row["name"].removeprefix("jobs:") for row in reversed(rows) if row["priority"] == 7]


def begin(flowing: Flowing) -> None:
    flowing.open(name="nightly")
    flowing.submit(2)
    for kind in KINDS:
        call_back(flowing, kind)
        call_back(flowing, kind)  # repeated
    flowing.client.call(FLOWS, "seal", FLOW)
    assert made(flowing) == []


def test_after_success_then_and_finally_are_made_once_with_a_summary(flowing: Flowing) -> None:
    begin(flowing)
    flowing.finish(flowing.worker())
    flowing.settle()
    assert sorted(made(flowing)) == ["finally", "then"]
    [task] = [row for row in flowing.client.call("get_tasks", "list", {}, 9) if row["name"] == "jobs:then"]
    [[summary], keywords] = unpack(flowing.client.call("get_tasks", "show", task["id"])["payload"])
    shown = flowing.show()
    assert keywords == {}
    assert summary == {name: shown[name] for name in summary}
    assert (summary["name"], summary["state"], summary["succeeded"]) == ("nightly", "succeeded", 2)


def test_after_a_failure_catch_and_finally_are_made_and_after_a_retry_those_of_its_end(
    flowing: Flowing,
) -> None:
    begin(flowing)
    worker = flowing.worker()
    flowing.finish(worker, lambda task: True, want=1)
    flowing.settle()
    assert sorted(made(flowing)) == ["catch", "finally"]
    flowing.client.call(FLOWS, "retry", FLOW, 1)
    flowing.settle()
    flowing.finish(worker)
    flowing.settle()
    assert sorted(made(flowing)) == ["catch", "finally", "finally", "then"]


def test_a_callback_of_a_flow_that_has_ended_is_made_at_once(flowing: Flowing) -> None:
    flowing.open()
    flowing.client.call(FLOWS, "seal", FLOW)
    for kind in KINDS:
        call_back(flowing, kind)
    flowing.settle()
    assert sorted(made(flowing)) == ["finally", "then"]


def test_an_end_whose_transaction_failed_makes_its_callbacks_once(flowing: Flowing) -> None:
    begin(flowing)
    worker = flowing.worker()
    flowing.finish(worker)

    def fail() -> None:
        raise StoreError("the disk is gone")

    flowing.bench.step(commit=fail)
    flowing.bench.advance(1)
    flowing.settle()
    assert sorted(made(flowing)) == ["finally", "then"]


def test_callbacks_act_by_the_key_that_opened_the_flow(flowing: Flowing) -> None:
    flowing.open()
    other = flowing.peer(Role.ADMIN)
    with pytest.raises(Forbidden, match="only that key adds them"):
        call_back(flowing, "then", other)
    call_back(flowing, "then")
    keyring = flowing.bench.engine.part(Keyring)
    keyring.add_unstored(replace(flowing.client.session.verifier, state="revoked"))
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.settle()
    assert made(flowing) == []
    [report] = [fields for action, fields in flowing.bench.reports if action == "flow.callback_refused"]
    assert (report["flow"], report["task"]) == (show_id(FLOW), "jobs:then")


def test_a_key_adds_no_callback_in_a_queue_that_it_does_not_cover(flowing: Flowing) -> None:
    bound = flowing.peer(queues=("mail",))
    bound.call(FLOWS, "open", FLOW)
    with pytest.raises(Forbidden, match="may use the queues"):
        call_back(flowing, "then", bound, "gpu")
    call_back(flowing, "then", bound, "mail")


def test_callbacks_have_a_bound_and_known_kinds(flowing: Flowing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALLBACKS_MAX", 2)
    flowing.open()
    with pytest.raises(InvalidArgument, match="a callback is one of then, catch, finally, not 'later'"):
        call_back(flowing, "later")
    call_back(flowing, "then")
    call_back(flowing, "catch")
    call_back(flowing, "catch")  # repeated
    with pytest.raises(InvalidArgument, match="the flow has 2 callbacks"):
        call_back(flowing, "finally")


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_finally_fits_each_end_and_one_of_then_and_catch(state: str) -> None:
    assert fits("finally", state)
    assert fits("then", state) == (state == "succeeded")
    assert fits("catch", state) == (state != "succeeded")


def test_a_callback_has_its_limits_and_its_tenant(flowing: Flowing) -> None:
    flowing.open()
    columns = {"limits": [[{"name": "pager", "max_running": 1}, "night"]], "tenant": "ops"}
    for number in range(2):
        token = f"callback {number}".encode().ljust(16, b"-")
        flowing.client.call(
            FLOWS, "call_back", FLOW, token, "then", "default", "jobs:then", {"priority": 7}, columns
        )
    flowing.client.call(FLOWS, "seal", FLOW)
    flowing.settle()
    assert sorted(made(flowing)) == ["then", "then"]
    worker = flowing.worker("jobs:then")
    assert flowing.finish(worker, want=10) == 1, "one at a time"
    assert flowing.finish(worker, want=10) == 1
    with pytest.raises(InvalidArgument, match="columns are a map"):
        flowing.client.call(
            FLOWS, "call_back", FLOW, b"c" * 16, "then", "default", "jobs:then", {}, {"colour": 1}
        )
