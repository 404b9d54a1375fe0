"""The results of needed tasks on their way to the task that needs them: small ones with its lease, the others page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.values.needed import carry
from ..engine.overlaps import Overlaps
from ..store.interface.slices import LeasedSlice
from ..store.interface.tasks import Leased
from .dependent import Dependent
from .needed_tasks import NeededTasks, Outcome

CARRIED_BYTES: Final = 64 * 1024  # of results that come with the lease of one task
CARRIED_TASKS: Final = 100  # and of how many tasks
# And with one answer to a lease, which has as much as four times that of arguments
REPLY_BYTES: Final = 1024 * 1024
PAGE_BYTES: Final = 1024 * 1024  # of results in one page; a larger one is alone in it
PAGE_TASKS: Final = 1_000


def outcomes(tasks: NeededTasks, ids: Sequence[bytes], queues: bytes | None, room: int) -> list[Outcome]:
    """Of the first of these tasks, up to so many bytes and beyond by no more than was read before; of one at least."""
    found: list[Outcome] = []
    size, step = 0, 1
    while step and len(found) < len(ids):
        some = tasks.outcomes(ids[len(found) : len(found) + step], queues)
        size += sum(len(body or b"") for _, _, body in some)
        found += some
        step = min(len(found), (room - size) * len(found) // max(1, size)) if size < room else 0
    return found


def to_rows(found: Sequence[Outcome]) -> list[list[Any]]:
    """``[first id, state, [body, …]]`` of tasks with consecutive ids in one state."""
    rows: list[list[Any]] = []
    following = b""
    for state, some in groupby(found, lambda one: one[1]):
        following = b""
        for id, _, body in some:
            if id == following:
                rows[-1][2].append(body)
            else:
                rows.append([id, state, [body]])
            following = IdRun(id, 1).behind
    return rows


def page(
    tasks: NeededTasks, needs: Sequence[IdRun], queues: bytes | None, first: bytes
) -> list[list[Any]] | None:
    """The outcomes of needed tasks from one on, in their order, as many as fit; None: it is not needed."""
    ids = list(islice(_from(needs, first), PAGE_TASKS))
    return to_rows(outcomes(tasks, ids, queues, PAGE_BYTES)) if ids else None


def _from(needs: Sequence[IdRun], first: bytes) -> Iterator[bytes]:
    for at, run in enumerate(needs):
        low, high = run.ends()
        if low <= first <= high:
            place = int.from_bytes(first, "big") - int.from_bytes(low, "big")
            yield from IdRun(first, run.length - place).ids()
            for later in needs[at + 1 :]:
                yield from later.ids()
            return


class Carrier:
    """Adds results to the arguments of the tasks in one answer to a lease, as far as there is room."""

    def __init__(self, tasks: NeededTasks, own: Overlaps[Dependent]) -> None:
        self._tasks, self._own = tasks, own
        self._room = REPLY_BYTES

    def row(self, row: Leased | LeasedSlice) -> Leased | LeasedSlice:
        if isinstance(row, LeasedSlice):
            payloads = self.carried(IdRun(row.id, len(row.payloads)), row.payloads)
            return row if payloads is row.payloads else row._replace(payloads=payloads)
        [payload] = self.carried(IdRun(row.id, 1), [row.payload])
        return row if payload is row.payload else row._replace(payload=payload)

    def carried(self, run: IdRun, payloads: list[bytes]) -> list[bytes]:
        """The payloads of leased tasks; those of dependents with what their tasks need, or with nothing but the sign that they
        need something."""
        made = payloads
        for part, place, dependent in self._own.over(run):
            if made is payloads:
                made = list(payloads)
            start = part.place - run.place
            for at in range(part.length):
                needs = dependent.needs_of(place + at)
                rows = self._rows(needs, dependent.queues)
                made[start + at] = carry(payloads[start + at], dependent.collects, rows)
        return made

    def _rows(self, needs: Sequence[IdRun], queues: bytes | None) -> list[list[Any]]:
        if sum(run.length for run in needs) > CARRIED_TASKS:
            return []
        room = min(CARRIED_BYTES, self._room)
        ids = [id for run in needs for id in run.ids()]
        found = outcomes(self._tasks, ids, queues, room)
        size = sum(len(body or b"") for _, _, body in found)
        if len(found) < len(ids) or size > room:
            return []
        self._room -= size
        return to_rows(found)
