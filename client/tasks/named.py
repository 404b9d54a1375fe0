"""Tasks named by ids as people write them: every command that takes an id, and ``app.get``, reads it here.

A whole id is a task, without asking the master. What is shortened means whatever begins so, and the master is asked: a task, or an
array as a whole. ``+N`` behind either is the task N places behind its first one, ``+N..M`` all from there to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.domain.id_text import DIGITS, IdRange, IdText, read_id_text, show_short
from ...common.domain.ids import show_id
from ...common.errors import InvalidArgument, UnknownTask
from .answers import FLOWS, TASKS

if TYPE_CHECKING:
    from ..core.session import ClientSession


class Named(NamedTuple):
    """What an id means, and how it was written."""

    ids: IdRange
    prefix: str
    start: int  # place of the first one behind what the prefix means

    @property
    def is_array(self) -> bool:
        return self.ids.tasks > 1

    def name(self, id: bytes) -> str:
        """One of the tasks, in the terms of what was written."""
        return f"{self.prefix}+{self.start + self.ids.place(id)}"


def named(session: ClientSession, text: str) -> Named:
    """A task, or consecutive ones. Raises UnknownTask, InvalidArgument."""
    said = read_id_text(text)
    answer = None if said.is_whole else session.call(TASKS, "meant", *said.beginning)
    if answer is not None and _means_none(answer):
        _check_flows(text, session.call(FLOWS, "meant", *said.beginning))
    return _chosen(said, text, answer)


def task_named(session: ClientSession, text: str) -> bytes:
    """As ``named``, for what is done with one task."""
    return _one(text, named(session, text))


async def task_named_async(session: ClientSession, text: str) -> bytes:
    """``task_named`` for an event loop."""
    import asyncio

    said = read_id_text(text)
    if said.is_whole:
        return _one(text, _chosen(said, text, None))
    answer = await asyncio.wrap_future(session.start_call(TASKS, "meant", *said.beginning))
    if _means_none(answer):
        flows = session.start_call(FLOWS, "meant", *said.beginning)
        _check_flows(text, await asyncio.wrap_future(flows))
    return _one(text, _chosen(said, text, answer))


def _means_none(answer: dict[str, Any]) -> bool:
    return not answer["rows"] and not answer["more"]


def _check_flows(text: str, answer: dict[str, Any]) -> None:
    """No task has such an id. ``answer``: the flows that have. Raises UnknownTask if there are some."""
    if answer["rows"]:
        row = answer["rows"][0]
        raise UnknownTask(
            f"{text} is no task, but the flow {row['name'] or 'without a name'}: `tq flow show {show_id(row['id'])}` shows it, `tq flow "
            "cancel` and `tq flow retry` change it; in a program it is app.get_flow(id)"
        )


def _one(text: str, meant: Named) -> bytes:
    if meant.is_array:
        raise InvalidArgument(
            f"{text} is an array of {meant.ids.tasks:,} tasks; name one of them, as {meant.name(meant.ids.first)}; "
            f"`tq ls {text}` lists them"
        )
    return meant.ids.first


def _chosen(said: IdText, text: str, answer: dict[str, Any] | None) -> Named:
    """``answer``: the master's, of what a shortened id means."""
    prefix, start = text.partition("+")[0], said.start or 0
    meant = IdRange(said.id, 1) if answer is None else _meant(said, prefix, answer)
    if said.start is None:
        return Named(meant, prefix, start)
    stop = said.start + 1 if said.stop is None else said.stop
    # A whole id is not asked about: how many tasks its array has is not known here.
    if answer is not None and not said.tail and stop > meant.tasks:
        raise UnknownTask(
            f"{text}: the array has {meant.tasks:,} tasks, the last one is +{meant.tasks - 1}"
            if meant.tasks > 1
            else f"{text}: {show_id(meant.first)} is a task by itself, not an array"
        )
    return Named(IdRange(meant.id(said.start), stop - said.start), prefix, start)


def _meant(said: IdText, prefix: str, answer: dict[str, Any]) -> IdRange:
    rows: list[dict[str, Any]] = answer["rows"]
    if not rows:
        raise UnknownTask(
            f"no task has an id that begins {'and ends ' if said.tail else ''}as {prefix}: "
            "never submitted here, kept no longer, or it takes more digits to tell"
        )
    if len(rows) > 1:
        lines = "".join(
            f"\n  {IdRange(row['id'], row['tasks'])}  {row['name']} in queue {row['queue']}" for row in rows
        )
        others = "\n  and others" if answer["more"] else ""
        raise InvalidArgument(f"{prefix} may mean several; write more of the id:{lines}{others}")
    return IdRange(rows[0]["id"], rows[0]["tasks"])


def short_range(first: bytes, tasks: int, digits: int) -> str:
    """How an array is named on a screen: by the beginning of its first id, if all of its ids begin so."""
    # A long array may cross the digits that are shown.
    last = IdRange(first, tasks).id(tasks - 1)
    text = show_short(first, digits)
    return text if digits < DIGITS and show_short(last, digits) == text else str(IdRange(first, tasks))
