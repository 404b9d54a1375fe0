"""A task that asks for resources and is called as a function: in a worker with those of its child, else with its own.

Its own are made for the call and closed behind it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ...common.domain.resources import SharedResource
from ...common.runtime.made_resources import MadeResources, made_here

Call = Callable[[dict[str, Any]], Any]


def call_with(asked: Mapping[str, SharedResource[Any]], function: Callable[..., Any], call: Call) -> Any:
    """``call`` is given the resources by name. For a coroutine function a coroutine."""
    if inspect.iscoroutinefunction(function):
        return _call_later(asked, call)
    made = made_here()
    if made is not None:
        return call(made.given(asked))
    own = MadeResources()
    try:
        return call(own.given(asked))
    finally:
        own.close(run=lambda coroutine: coroutine.close())  # a plain function asks for no async ones


async def _call_later(asked: Mapping[str, SharedResource[Any]], call: Call) -> Any:
    made = made_here()
    if made is not None:
        return await call(await made.given_to_coroutine(asked))
    own = MadeResources()
    try:
        return await call(await own.given_to_coroutine(asked))
    finally:
        await own.aclose()
