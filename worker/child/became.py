"""A task that returned the handle of another one: the result of that is its own."""

from __future__ import annotations

from typing import Any

from ...common.errors import InvalidArgument


def became(value: Any) -> bytes | None:
    """The body of the report: the id of the other task, and behind it that of its cluster as far as it is known. None: the value is
    no handle. Raises InvalidArgument for the handles of a map."""
    needed = getattr(type(value), "_tq_needed", None)
    if needed is None:
        return None
    session, named = needed(value)
    if named.is_list:
        raise InvalidArgument(
            "a task may return the handle of one task, not those of a map: submit a task that takes them as its argument, and return "
            "the handle of that, as in `return collect.submit(handles)`"
        )
    id: bytes = named.runs[0].first
    return id + bytes.fromhex(session.known_cluster or "")
