"""A task that is called as a function: what a worker would fill in is the calling task's own, or its child's; else one made here.

Resources that are made here are made for the call and closed behind it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from ...common.domain.context import Context, current
from ...common.domain.resources import SharedResource
from ...common.runtime.made_resources import MadeResources, made_here

NIL_ID: Final = "00000000-0000-0000-0000-000000000000"
Call = Callable[[dict[str, Any]], Any]


def context_here(name: str, queue: str) -> Context:
    """The calling task's own, else a placeholder."""
    return current() or Context(id=NIL_ID, attempt=1, queue=queue, name=name, token="", deadline=None)


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
