"""Handles as arguments: which tasks a call needs, gathered while its arguments are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import InvalidArgument
from ...common.values.brief import brief

if TYPE_CHECKING:
    from ...common.values.needed import Needed
    from ..core.session import ClientSession

TaskNeeds = Mapping[bytes, Sequence[IdRun]]
"""By id of a task: the tasks whose results are its arguments."""

ALL, EACH = 0, 1


class GatheredNeeds:
    """See ``common.values.needed.Gathering``. The handles of one call, or of one after the other."""

    __slots__ = ("_found", "_session", "_tasks")

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._found: list[IdRun] = []
        self._tasks = 0

    def add(self, session: ClientSession, needed: Needed) -> str:
        own = self._session
        # Two sessions with one master are fine; asking for the id is a call, made only when they differ.
        if session is not own and session.cluster_id() != own.cluster_id():
            return "the handle of a task of another cluster"
        self._tasks += sum(run.length for run in needed.runs)
        if self._tasks > NEEDED_MAX:
            return f"a call with the results of more than {NEEDED_MAX:,} tasks"
        self._found += needed.runs
        return ""

    def take(self) -> list[IdRun]:
        """What was gathered since the last time, each task once, in the order in which they were met."""
        found = self._found
        if not found:
            return found
        self._found, self._tasks = [], 0
        if len(found) == 1:
            return found
        # Each task once: the master counts down what is missing.
        return list(runs_of(dict.fromkeys(id for run in found for id in run.ids())))


def needs_of(session: ClientSession, after: Sequence[tuple[ClientSession, Needed]]) -> GatheredNeeds:
    """Of a task, with what it needs without getting the results. Raises InvalidArgument."""
    needs = GatheredNeeds(session)
    for other, needed in after:
        if why := needs.add(other, needed):
            raise InvalidArgument(f"after: {why}")
    return needs


def is_handle(value: object) -> bool:
    """Whether an argument is the result of another task, or of several: not known before they have ended."""
    return getattr(value, "_tq_needed", None) is not None


def as_needed(after: Any) -> list[tuple[ClientSession, Needed]]:
    """Of a handle, handles, or a list of them, nested as those of groups are; raises InvalidArgument."""
    if isinstance(after, (list, tuple)):
        return [found for one in after for found in as_needed(one)]
    found = getattr(after, "_tq_needed", None)
    if found is None:
        raise InvalidArgument(f"after is a handle, or a list of handles, not {brief(after, 80)}")
    return [found()]


def rows_with_needs(first: bytes, payloads: list[bytes], needs: TaskNeeds) -> list[list[Any]]:
    """The rows of a submit: each task by itself with all that it needs, or, where each needs one other, together."""
    ids = IdRun(first, len(payloads)).ids()
    wanted = [needs[id] for id in ids]
    if len(ids) == 1 or any(len(one) != 1 or one[0].length != 1 for one in wanted):
        return [
            [id, payload, [ALL, [needed.to_wire() for needed in one]]]
            for id, payload, one in zip(ids, payloads, wanted, strict=True)
        ]
    needed = runs_of(one[0].first for one in wanted)
    return [[first, payloads, [EACH, [one.to_wire() for one in needed]]]]
