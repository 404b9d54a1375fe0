"""What a refusal says to send instead, for values that only a program has."""

from __future__ import annotations

import tq
from tq.client.core.session import ClientSession
from tq.client.tasks.handle import Handle
from tq.client.tasks.handles import Handles
from tq.common.values.remedies import remedy


def test_a_handle_is_refused_with_its_result_and_its_id() -> None:
    app = tq.App("tq://127.0.0.1:1", "a key for tests")
    session: ClientSession = app.session
    assert remedy(Handle(session, bytes(16))) == (
        "send what its result() gives, or its id, of which app.get(id) makes a handle"
    )
    assert (
        remedy(Handles(session)) == "send list(its results()), or its ids, of which app.get(id) makes handles"
    )
    assert "make one at the top of the module of the task" in remedy(app)


def test_what_is_waited_for_is_refused_with_what_it_gives() -> None:
    async def answer() -> int:
        return 1

    coroutine = answer()
    assert remedy(coroutine) == "await it, and send what that gives"
    coroutine.close()
