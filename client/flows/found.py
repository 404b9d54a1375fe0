"""Flows that are found again: by their ids as people write them, and by a task of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...common.domain.id_text import read_id_text
from ...common.domain.ids import parse_id, show_id
from ...common.errors import InvalidArgument
from .block import FLOWS
from .flow import Flow

if TYPE_CHECKING:
    from ..core.session import ClientSession


def found_flow(session: ClientSession, text: str) -> Flow:
    """Of an id, whole or shortened. Raises InvalidArgument."""
    asked = _asked(text)
    id = asked if isinstance(asked, bytes) else _meant(text, session.ask(FLOWS, "meant", *asked))
    return _flow(session, id, session.ask(FLOWS, "show", id))


async def found_flow_async(session: ClientSession, text: str) -> Flow:
    """``found_flow`` for an event loop."""
    asked = _asked(text)
    id = asked if isinstance(asked, bytes) else _meant(text, await _ask(session, "meant", *asked))
    return _flow(session, id, await _ask(session, "show", id))


def flow_of_task(session: ClientSession, task_id: str) -> Flow | None:
    """None: it is in none."""
    id = session.ask(FLOWS, "of_task", parse_id(task_id))
    return None if id is None else _flow(session, id, session.ask(FLOWS, "show", id))


async def flow_of_task_async(session: ClientSession, task_id: str) -> Flow | None:
    """``flow_of_task`` for an event loop."""
    id = await _ask(session, "of_task", parse_id(task_id))
    return None if id is None else _flow(session, id, await _ask(session, "show", id))


def _flow(session: ClientSession, id: bytes, shown: dict[str, Any]) -> Flow:
    return Flow(session, id, shown["name"], shown["on_error"])


async def _ask(session: ClientSession, method: str, *args: Any) -> Any:
    import asyncio

    return await asyncio.wrap_future(session.start_call(FLOWS, method, *args))


def _asked(text: str) -> bytes | tuple[str, str]:
    """A whole id, or the beginning and the end of a shortened one, of which the master is asked."""
    try:
        said = read_id_text(text)
    except (InvalidArgument, AttributeError):
        return parse_id(text, of="flow")  # raises in the words for a flow
    if said.start is not None:
        raise InvalidArgument(f"{text} names a task by its place; a flow is named by its id alone")
    return said.id if said.is_whole else said.beginning


def _meant(text: str, answer: dict[str, Any]) -> bytes:
    rows: list[dict[str, Any]] = answer["rows"]
    if not rows:
        raise InvalidArgument(
            f"no flow has an id that begins as {text}: never opened here, or kept no longer; `tq flow ls` shows them"
        )
    if len(rows) > 1:
        lines = "".join(f"\n  {show_id(row['id'])}  {row['name']}" for row in rows)
        others = "\n  and others" if answer["more"] else ""
        raise InvalidArgument(f"{text} may mean several flows; write more of the id:{lines}{others}")
    id: bytes = rows[0]["id"]
    return id
