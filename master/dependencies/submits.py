"""Submits of tasks that need others: whether they may, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ...common.contract.dependencies import not_there
from ...common.domain.id_runs import IdRun
from ...common.domain.model import TaskOptions
from ...common.domain.on_error import NEEDED_MAX, required
from ...common.errors import InvalidArgument
from ...common.wire.frames import pack
from ..engine.session import Session
from ..store.interface.store import Store
from ..tasks.plan import Submission
from ..tasks.submitted import NewRun
from .dependent import Dependent

NEEDS_MAX: Final = 10_000  # tasks of one call and runs that they need: some 20 µs for each run
OPEN_MAX: Final = 250_000  # dependents that have not ended: each takes half a kilobyte of memory


def check(
    store: Store,
    runs: Sequence[NewRun],
    options: TaskOptions,
    known: int,
    is_within: Callable[[int], bool],
    is_elsewhere: Callable[[bytes], bool],
) -> None:
    """Every needed task must be there, in a queue that the key may use (``is_within``, of a route): it gets to know whether that
    succeeded. Of those of other shards (``is_elsewhere``, of an id) it is found out when they are asked. ``known``: dependents that
    have not ended. Raises InvalidArgument."""
    if known + len(runs) > OPEN_MAX:
        raise InvalidArgument(
            f"{OPEN_MAX:,} tasks wait for others already; map over handles, of which a thousand count as one, or wait for some"
        )
    needing = [len(new.needs.runs) for new in runs if new.needs is not None]
    if len(needing) + sum(needing) > NEEDS_MAX:
        raise InvalidArgument(
            f"{len(needing):,} tasks of one call need {sum(needing):,} runs of tasks, together at most {NEEDS_MAX:,}: send them in "
            "portions, need tasks of a map, which are one run, or merge them in stages"
        )
    seen = dict[IdRun, None]()
    for needs in (new.needs for new in runs if new.needs is not None):
        required(options.on_error, 1 if needs.each else sum(run.length for run in needs.runs))
        seen |= dict.fromkeys(needs.runs)
    if sum(run.length for run in seen) > NEEDED_MAX:
        raise InvalidArgument(f"the tasks of one call may need {NEEDED_MAX:,} others: send them in portions")
    for run in seen:
        if is_elsewhere(run.first):
            continue
        missing = first_missing(store, run, is_within)
        if missing is not None and not _are_known(store, runs):
            raise InvalidArgument(not_there(missing))


def first_missing(store: Store, run: IdRun, is_within: Callable[[int], bool]) -> bytes | None:
    """The first task of a run that is not there, or not for this key."""
    following = run.first
    for span in store.dependencies.states(run):
        if span.first != following or not is_within(span.route):
            return following
        following = IdRun(span.first, span.length).behind
    return None if following == run.behind else following


def _are_known(store: Store, runs: Sequence[NewRun]) -> bool:
    """Whether this is a repeated submit: what these tasks needed may be deleted by now."""
    ids = [id for new in runs for id in new.run.ids()]
    return len(store.find(ids)) == len(ids)


def dependents_of(submission: Submission, is_elsewhere: Callable[[bytes], bool]) -> Iterator[Dependent]:
    """Those of a submit that is stored."""
    seq, options = submission.first_seq + 1, submission.options
    at = None if options.at is None else int(options.at * 1000)
    for new in submission.runs:
        if new.needs is None:
            continue
        each, runs = new.needs
        needed = 1 if each else sum(run.length for run in runs)
        tasks = len(new.payloads)
        numbers = needed, required(options.on_error, needed), needed, 0, None
        waits = int(options.delay * 1000), at
        queues = None
        if any(is_elsewhere(run.first) for run in runs):
            queues = b"" if submission.call is None else rights_of(submission.call.session)
        yield Dependent(seq, seq + tasks, new.first, each, *numbers, *waits, tasks, False, queues, runs)
        seq += tasks


def rights_of(session: Session) -> bytes:
    """Of its key: the queues of the tasks of other shards that it may need, see ``ElsewhereRow``."""
    patterns = session.verifier.queues
    return pack(sorted(patterns)) if patterns else b""


def needed_elsewhere(runs: Sequence[NewRun], is_elsewhere: Callable[[bytes], bool]) -> set[IdRun]:
    """What tasks that are submitted need of other shards."""
    return {run for new in runs if new.needs is not None for run in new.needs.runs if is_elsewhere(run.first)}
