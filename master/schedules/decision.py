"""Which of the instants that have come get a task, and which are skipped. Pure.

An instant is decided once: ``last`` of a schedule's row is the latest one that was, and only later ones are looked at. So a
clock that goes back makes nothing due again, and what was missed while no master ran is decided when one runs again.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...common.domain.recurrence import Interval, Recurrence

LATE_MS: Final = 60_000  # what is later than this was missed
ALL_MAX: Final = 1_000  # tasks that misfire="all" makes at once
COUNTED_MAX: Final = 1_000  # instants of a cron rule that are counted one by one


class SkippedInstants(NamedTuple):
    """``instants``: how many; of a cron rule with more than COUNTED_MAX that many, and ``are_more``."""

    first: int
    last: int
    instants: int
    are_more: bool = False


class Decision(NamedTuple):
    fire: list[int]
    skipped: SkippedInstants | None
    last: int  # the latest instant that is decided now
    next: int | None
    looked: int  # at how many instants


class Due(NamedTuple):
    """The newest instants that have come, how many have, and which one is next."""

    newest: list[int]
    instants: int
    next: int | None
    looked: int


def decide(rule: Recurrence, first: int, now: int, misfire: str) -> Decision:
    """``first``: the instant that was waited for; it has come."""
    following = rule.after(first)
    if following is None or following > now:
        due = Due([first], 1, following, 1)
    else:
        due = _due(rule, first, now, ALL_MAX if misfire == "all" else 2)
    newest, latest = due.newest, due.newest[-1]
    if misfire == "all":
        fire = newest
    elif misfire == "skip" and now - latest > LATE_MS:
        fire = []
    else:
        fire = [latest]
    skipped = due.instants - len(fire)
    if skipped <= 0:
        return Decision(fire, None, latest, due.next, due.looked)
    if not fire:
        last = latest
    elif len(newest) > len(fire):
        last = newest[-len(fire) - 1]
    else:
        last = fire[0] - 1  # of very many the one before is not known
    are_more = due.instants > COUNTED_MAX and not isinstance(rule, Interval)
    what = SkippedInstants(first, last, min(skipped, COUNTED_MAX) if are_more else skipped, are_more)
    return Decision(fire, what, latest, due.next, due.looked)


def _due(rule: Recurrence, first: int, now: int, most: int) -> Due:
    if isinstance(rule, Interval):
        instants = (now - first) // rule.ms + 1
        latest = first + (instants - 1) * rule.ms
        count = min(most, instants)
        newest = [latest - place * rule.ms for place in range(count - 1, -1, -1)]
        return Due(newest, instants, latest + rule.ms, count)
    found = [first]
    while len(found) <= COUNTED_MAX:
        following = rule.after(found[-1])
        if following is None or following > now:
            return Due(found[-most:], len(found), following, len(found))
        found.append(following)
    # As long as these took, for a start: about as many are in it.
    return _from_behind(rule, first, now, most, found[-1] - first)


def _from_behind(rule: Recurrence, first: int, now: int, most: int, span: int) -> Due:
    """Of very many instants the newest: looked for in the last ``span`` before now, and in longer ones until there are enough."""
    looked = COUNTED_MAX
    while True:
        start = max(first - 1, now - span)
        found: list[int] = []
        following = rule.after(start)
        while following is not None and following <= now:
            found.append(following)
            following = rule.after(following)
        looked += len(found)
        if len(found) >= most or start < first:
            return Due(found[-most:], COUNTED_MAX + 1, following, looked)
        span *= 2


def instants_between(rule: Recurrence, first: int, last: int, most: int) -> list[int]:
    """The instants from ``first`` to ``last``, both included, at most so many."""
    found: list[int] = []
    following = rule.after(first - 1)
    while following is not None and following <= last and len(found) < most:
        found.append(following)
        following = rule.after(following)
    return found
