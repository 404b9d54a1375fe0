"""Looks up tasks by ids that came over the wire, within the queues that the caller's key may use.

Ids are not secret: people pass them on, and the id of a task with a key can be computed. So every method answers an id of a task
in a queue that the key may not use exactly as an id that does not exist, down to the wording. The exposed objects look up
tasks here and nowhere else; a test checks that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from ...common.domain.id_runs import IdRun, run_from_wire
from ...common.domain.ids import show_id
from ...common.domain.model import TASK_ID_BYTES
from ...common.errors import InvalidArgument, UnknownTask
from ...common.values.brief import brief
from ..engine.session import Session
from ..store.interface.queries import Found, FullTask
from .dispatch import Dispatch
from .routes import Routes, within

if TYPE_CHECKING:
    from ..engine.engine import Engine


IDS_MAX: Final = 10_000  # in one call: each costs a read of the store


def tasks(engine: Engine, session: Session, ids: Any) -> list[Found]:
    """The tasks of these ids that exist for this key, in this order, without duplicates."""
    is_within = within(engine.part(Routes), session)
    # A dict drops duplicates and keeps the order of the call.
    found = engine.store.find(dict.fromkeys(check_ids(ids)))
    return [one for one in found if is_within(one.route)]


def task(engine: Engine, session: Session, id: Any) -> Found:
    """The task of an id, and of no run; raises UnknownTask."""
    if type(id) is not bytes or len(id) != TASK_ID_BYTES:
        raise InvalidArgument(f"a task's id is {TASK_ID_BYTES} bytes, not {brief(id, 80)}")
    for one in tasks(engine, session, [id]):
        return one
    _check_flows(engine, session, id)
    raise UnknownTask(f"no task has the id {show_id(id)}: never submitted here, or kept no longer")


def _check_flows(engine: Engine, session: Session, id: bytes) -> None:
    """Raises UnknownTask for the id of a flow, with its name: they look alike, and stand beside each other on the screen."""
    flows = engine.part(Dispatch).consulted.flows
    try:
        row = flows.shown(session, flows.origin_of(session, id), 0, engine.now)
    except InvalidArgument:
        return  # there is none either
    if row is not None:
        raise UnknownTask(
            f"{show_id(id)} is no task, but the flow {row['name'] or 'without a name'}: `tq flow show {show_id(id)}` shows it, `tq flow "
            "cancel` and `tq flow retry` change it; in a program it is app.get_flow(id)"
        )


def full(engine: Engine, session: Session, id: Any) -> FullTask:
    """As ``task``, with all columns of its row."""
    [one] = full_ones(engine, [task(engine, session, id)])
    return one


def full_ones(engine: Engine, found: Iterable[Found]) -> list[FullTask]:
    rows = (engine.store.full(one.id) for one in found)
    return [row for row in rows if row is not None]


def check_ids(ids: Any, most: int = IDS_MAX) -> list[bytes]:
    """The tasks that a list from the wire names, at most ``most``; raises InvalidArgument."""
    return [id for run in check_runs(ids, most) for id in run.ids()]


def check_runs(ids: Any, most: int = IDS_MAX) -> list[IdRun]:
    """The same, as runs: an element is an id, or ``[first id, how many]`` of consecutive ones."""
    runs = list(map(run_from_wire, ids)) if isinstance(ids, list) else [None]
    known = [run for run in runs if run is not None]
    if len(known) < len(runs):
        raise InvalidArgument(
            f"ids must be a list of {TASK_ID_BYTES}-byte task ids, or of [first id, how many] for consecutive ones"
        )
    count = sum(run.length for run in known)
    if count > most:
        raise InvalidArgument(f"{count:,} task ids in one call; at most {most:,}: ask in portions")
    return known
