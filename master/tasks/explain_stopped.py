"""Why an operator holds a task back: its queue is paused, or a strike holds it. Reads only."""

from __future__ import annotations

from typing import Final

from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from ..strikes.strikes import Strike, Strikes
from .in_words import in_words
from .routes import Routes
from .struck_tasks import StruckTasks

STRIKES_NAMED_MAX: Final = 2  # in a sentence


def why_stopped(engine: Engine, task: FullTask) -> str:
    """What holds it, why, by whom and until when, and what lets it run; empty: it is not held back."""
    queue = engine.part(Routes).queue(task.queue)
    found = [_paused(engine, task.queue)] if queue.paused else []
    strikes = strikes_of(engine, task)
    found += [_struck(engine, one) for one in strikes[:STRIKES_NAMED_MAX]]
    more = len(strikes) - STRIKES_NAMED_MAX
    return "; besides, ".join(found) + (f"; besides, {more} more (tq strike ls)" if more > 0 else "")


def strikes_of(engine: Engine, task: FullTask) -> list[Strike]:
    """The strikes that hold a task."""
    by_number = engine.part(Strikes).by_number
    found = engine.store.find([task.id]) if by_number else []
    routes, numbers = engine.part(Routes), set[int]()
    for one in found:
        lane = routes.mixed.lane_of(routes.by_number[one.route], one.seq)
        numbers.update(lane.struck, engine.part(StruckTasks).holding(lane, task.seq, task.options))
    return [by_number[one] for one in sorted(numbers) if one in by_number]


def holds_for_good(engine: Engine, task: FullTask) -> bool:
    """Whether a strike holds it that does not end by itself."""
    return any(one.row.until is None for one in strikes_of(engine, task))


def _paused(engine: Engine, name: str) -> str:
    queue = engine.part(Routes).queue(name)
    reason = f" ({queue.reason})" if queue.reason else ""
    held = _held(engine, queue.key, queue.since, queue.until)
    return f"queue {name} is paused{reason}{held}; `tq resume {name}` lets it run"


def _struck(engine: Engine, strike: Strike) -> str:
    row = strike.row
    reason = f": {row.reason}" if row.reason else ""
    held = _held(engine, row.key, row.since, row.until)
    return f"strike {row.number} on {row.condition} holds it back{reason}{held}; `tq strike rm {row.number}` lets it run"


def _held(engine: Engine, key: str, since: int | None, until: int | None) -> str:
    """``, by key ab12, for 5 min now and 55 min more``"""
    now = engine.now.steady
    by = f", by key {key}" if key else ""
    so_far = "" if since is None else f"{in_words(max(0, now - since) / 1000)} now"
    more = "" if until is None else f"{in_words(max(0, until - now) / 1000)} more"
    times = " and ".join(filter(None, (so_far, more)))
    return by + (f", for {times}" if times else "")
