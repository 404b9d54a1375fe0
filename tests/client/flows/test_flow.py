"""What a flow refuses before it asks the master, and what its errors say."""

from __future__ import annotations

import pytest
import tq
from tq.client.flows.flow import Flow

SHOWN = {
    "id": "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b", "name": "nightly", "state": "failed", "run": 2, "total": 10, "succeeded": 3,
    "failed": 1, "cancelled": 2, "running": 1, "reason": "", "first_failure": None, "on_error": "fail_fast",
}  # fmt: skip


@pytest.fixture
def app() -> tq.App:
    return tq.App("tq://127.0.0.1:1", "secret")


def test_a_callback_is_a_task_without_a_key(app: tq.App) -> None:
    with pytest.raises(tq.InvalidArgument, match="is not a task: a callback is made by a worker"):
        app.flow().then(print)  # type: ignore[arg-type]
    with pytest.raises(
        tq.InvalidArgument, match="key=… is of a submit, and a callback of a flow is made by the master"
    ):
        app.flow().catch(app.named("m:f").using(key="k"))


def test_the_error_of_a_flow_says_what_failed_or_why_it_was_cancelled(app: tq.App) -> None:
    flow = Flow(app.session, b"f" * 16, "nightly")
    error = flow._failure(SHOWN)
    assert str(error).startswith("the flow nightly failed: 3 of 10 tasks did not succeed")
    assert error.flow["run"] == 2
    cancelled = flow._failure({**SHOWN, "state": "cancelled", "reason": "wrong month"})
    assert str(cancelled) == "the flow nightly was cancelled: wrong month"


def test_a_flow_is_no_argument_of_a_task(app: tq.App) -> None:
    with pytest.raises(tq.NotSerializable, match=r"send its id, of which app.get_flow\(id\) makes it again"):
        app.submit("m:f", app.flow())
