"""Validates the tasks of a submit, and the proofs of computed ids. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple

from ...common.domain.argument_index import IndexColumns
from ...common.domain.id_runs import IdRun, is_run
from ...common.domain.ids import COMPUTED, PROOF_BYTES, id_behind, id_of_proof, show_id
from ...common.domain.model import TASK_ID_BYTES
from ...common.domain.shards import shard_of_id
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from .mixed import Mixture
from .needs import Needs, named_twice, needs_from_wire
from .route import Route


class NewRun(NamedTuple):
    """Submitted tasks with consecutive ids: the first id, and the payload of each. ``needs``: the tasks that they wait for.
    ``lane``: None: that of the whole submission. ``mixture``: of a mixed lane, in which lane each of them stands. ``indexed``: arguments
    by which each of them is found."""

    first: bytes
    payloads: list[bytes]
    needs: Needs | None = None
    lane: Route | None = None
    mixture: Mixture | None = None
    indexed: IndexColumns | None = None

    @property
    def run(self) -> IdRun:
        return IdRun(self.first, len(self.payloads))


def check_computed(route: Route, runs: Iterable[NewRun], proofs: Any) -> None:
    """Accept a computed id only with a proof that it was computed for this queue and callable. Without it, a client of another
    queue could use the id first and block the task of its owner."""
    shown: dict[bytes, bytes] = {}
    match proofs:
        case list() if all(
            type(one) is list and len(one) == 2 and set(map(type, one)) == {bytes} for one in proofs
        ):
            shown.update(proofs)
        case None:
            pass
        case _:
            raise InvalidArgument("proofs are a list of [id, proof], both bytes")
    # Computed ids stand above all others, so that most runs are passed by their first id.
    for id in (id for new in runs if new.first >= COMPUTED for id in new.run.ids()):
        proof = shown.get(id, b"")
        # Of the shard that the id says: api/shards.py has let in what is of this one.
        made = id_of_proof(route.queue.name, route.task, proof, shard_of_id(id))
        if len(proof) != PROOF_BYTES or made != id:
            raise InvalidArgument(
                f"the id {show_id(id)} is of a task with a key, and not of {route.task} in queue {route.queue.name} with the key "
                "whose proof came with it; other ids begin with less than ffffffff"
            )


def new_runs(tasks: list[Any], most: int) -> list[NewRun]:
    """The tasks of a submit, ``[id, payload]`` or ``[first id, [payload, …]]`` each, as runs; raises InvalidArgument. A third field
    says what they need."""
    runs: list[NewRun] = []
    count = 0
    following = b""  # the id that continues the last run
    for row in tasks:
        # ``type`` and not isinstance: text from outside is never a subclass, and this runs for each task.
        if type(row) is not list or not 2 <= len(row) <= 3:
            raise _not_a_task(row)
        first, payloads, *columns = row
        if type(payloads) is not list:
            payloads = [payloads]
        if not is_run(first, len(payloads)) or set(map(type, payloads)) != {bytes}:
            raise _not_a_task(row)
        count += len(payloads)
        # Counted while they are read: a call of a million tasks is refused after ten thousand.
        if count > most:
            raise InvalidArgument(f"more than {most:,} tasks in one call: send them in portions")
        if columns and columns != [None]:
            runs += one_each(NewRun(first, payloads), needs_from_wire(columns[0], len(payloads)))
        # Neighbours that were sent one by one are one run: they can be stored as an array.
        elif first == following and runs[-1].needs is None:
            runs[-1].payloads.extend(payloads)
        else:
            runs.append(NewRun(first, payloads))
        following = IdRun(first, len(payloads)).behind
    if len({new.needs is None for new in runs}) > 1:
        raise InvalidArgument(
            "tasks that need others travel in a call of their own, apart from those that need none"
        )
    if runs and runs[0].needs is not None and (twice := named_twice([new.run for new in runs])):
        raise InvalidArgument(f"the task {show_id(twice)} is twice in one call")
    return runs


def in_mixture(runs: Iterable[NewRun], mixed: Route, mixture: Mixture) -> list[NewRun]:
    """Runs whose tasks, in their order, stand in the lanes of a mixture."""
    found: list[NewRun] = []
    done = 0
    for new in runs:
        stop = done + len(new.payloads)
        found.append(new._replace(lane=mixed, mixture=mixture.part(done, stop)))
        done = stop
    return found


def with_index(runs: Iterable[NewRun], index: IndexColumns) -> list[NewRun]:
    """Runs whose tasks, in their order, have these indexed arguments."""
    found: list[NewRun] = []
    done = 0
    for new in runs:
        stop = done + len(new.payloads)
        found.append(new._replace(indexed=index.part(done, stop)))
        done = stop
    return found


def _not_a_task(row: Any) -> InvalidArgument:
    return InvalidArgument(
        f"a task is [id, payload], and several are [first id, [payload, …]]: {TASK_ID_BYTES} bytes, and any number "
        f"of bytes for each; not {brief(row, 80)}"
    )


def one_each(new: NewRun, needs: Needs) -> Iterator[NewRun]:
    """The tasks of a run so that each is by itself, with all that it needs; or neighbours with neighbours of which each
    needs one."""
    at = 0
    for run in needs.runs if needs.each else [IdRun(new.first, 1)] * len(new.payloads):
        first, payloads = id_behind(new.first, at), new.payloads[at : at + run.length]
        yield new._replace(first=first, payloads=payloads, needs=Needs(True, [run]) if needs.each else needs)
        at += run.length


def only(runs: list[NewRun], wanted: Container[bytes]) -> list[NewRun]:
    """The parts of runs that have these tasks."""
    found: list[NewRun] = []
    for new in runs:
        start = None
        # One more that is not wanted, which closes the last part.
        ids = [*new.run.ids(), b""]
        for at, id in enumerate(ids):
            is_wanted = bool(id) and id in wanted
            if is_wanted and start is None:
                start = at
            elif not is_wanted and start is not None:
                found.append(part_of(new, start, at))
                start = None
    return found


def split(runs: list[NewRun], tasks: int) -> tuple[list[NewRun], list[NewRun]]:
    """The first so many tasks, and the others."""
    first: list[NewRun] = []
    for place, new in enumerate(runs):
        if tasks < len(new.payloads):
            rest = runs[place + 1 :]
            return (
                [*first, part_of(new, 0, tasks)] if tasks else first,
                [part_of(new, tasks, len(new.payloads)), *rest],
            )
        first.append(new)
        tasks -= len(new.payloads)
    return first, []


def part_of(new: NewRun, start: int, stop: int) -> NewRun:
    """Some of its tasks, from a place to another."""
    needs = new.needs
    if needs is not None and needs.each:
        needs = Needs(True, [IdRun(id_behind(needs.runs[0].first, start), stop - start)])
    return new._replace(
        first=id_behind(new.first, start),
        payloads=new.payloads[start:stop],
        needs=needs,
        mixture=None if new.mixture is None else new.mixture.part(start, stop),
        indexed=None if new.indexed is None else new.indexed.part(start, stop),
    )
