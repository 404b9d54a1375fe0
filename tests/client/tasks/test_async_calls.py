"""Each call that blocks has a twin for event loops, which gives the same; the one that blocks warns there."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import tq
from tq.client.tasks.async_calls import AsyncCalls
from tq.client.tasks.handle import Handle

BLOCKING: dict[str, Callable[[tq.App, Handle[Any]], object]] = {
    "await handle`": lambda app, handle: handle.result(1),
    "aexception": lambda app, handle: handle.exception(1),
    "astate": lambda app, handle: handle.state,
    "aprogress": lambda app, handle: handle.progress,
    "aposition": lambda app, handle: handle.position,
    "aeta": lambda app, handle: handle.eta,
    "aarguments": lambda app, handle: handle.arguments,
    "aattempts": lambda app, handle: handle.attempts,
    "awhy": lambda app, handle: handle.why(),
    "acancel": lambda app, handle: handle.cancel(),
    "aretry": lambda app, handle: handle.retry(),
    "aget": lambda app, handle: app.get(handle.id),
    "acall": lambda app, handle: app.call(("get_tasks",), "states", []),
    "asubmit": lambda app, handle: app.submit("cluster_tasks:add", 1, 1),
}


def test_every_twin_has_the_arguments_of_the_call_that_blocks() -> None:
    twins = [name for name in vars(AsyncCalls) if name.startswith("a") and not name.startswith("_")]
    assert len(twins) == 11
    for name in twins:
        blocking = inspect.getattr_static(Handle, name[1:])
        if not isinstance(blocking, property):
            assert list(inspect.signature(blocking).parameters) == list(
                inspect.signature(getattr(AsyncCalls, name)).parameters
            )


@pytest.mark.parametrize("instead", BLOCKING)
def test_a_call_that_blocks_a_running_loop_is_warned_of_with_its_twin(instead: str) -> None:
    app = tq.App("tq://127.0.0.1:1", "a key for tests", connect_timeout=0.1)
    handle: Handle[Any] = Handle(app.session, bytes(16))

    async def main() -> None:
        BLOCKING[instead](app, handle)

    with pytest.raises(RuntimeWarning, match=instead):  # before anything is sent
        asyncio.run(main())
    app.close()
