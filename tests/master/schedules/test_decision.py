"""Which instants get a task: compared with the plainest way to say it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.recurrence import Interval, Recurrence, cron
from tq.master.schedules import decision as module
from tq.master.schedules.decision import LATE_MS, Decision, decide, instants_between

START = 1_774_000_000_000  # some days before clocks are set forward
RULES: list[Recurrence] = [
    Interval(1_000),
    Interval(7_000),
    Interval(60_000),
    Interval(86_400_000),
    cron("* * * * *", "Europe/Prague"),
    cron("*/7 2 * * *", "Europe/Prague"),
    cron("30 2 * * *", "Europe/Prague"),
    cron("0 0 * * MON", "America/New_York"),
    cron("0 0 29 2 *", "UTC"),
]


def plainly(rule: Recurrence, first: int, now: int, misfire: str) -> tuple[list[int], list[int]]:
    """What is made and what is skipped, from all instants."""
    due = instants_between(rule, first, now, 10**6)
    if misfire == "all":
        made = due[-module.ALL_MAX :]
    elif misfire == "latest" or now - due[-1] <= LATE_MS:
        made = due[-1:]
    else:
        made = []
    return made, [one for one in due if one not in set(made)]


@given(
    st.sampled_from(RULES),
    st.integers(0, 10**9),
    st.integers(0, 4 * 3_600_000),
    st.sampled_from(["latest", "all", "skip"]),
)
def test_a_decision_is_what_all_instants_together_say(
    rule: Recurrence, start: int, late: int, misfire: str
) -> None:
    first = rule.after(START + start)
    assert first is not None
    now = first + (late if not isinstance(rule, Interval) or rule.ms > 1_000 else late // 10)
    made, skipped = plainly(rule, first, now, misfire)
    found = decide(rule, first, now, misfire)
    assert found.fire == made
    assert found.last == max(made + skipped)
    assert found.next == rule.after(now)
    if not skipped:
        assert found.skipped is None
    else:
        assert found.skipped is not None
        assert (found.skipped.first, found.skipped.instants) == (skipped[0], len(skipped))
        assert skipped[-1] <= found.skipped.last < (made[0] if made else now + 1)


@pytest.mark.parametrize("misfire", ["latest", "all", "skip"])
def test_years_of_every_minute_are_decided_by_looking_at_a_few_thousand(misfire: str) -> None:
    rule = cron("* * * * *", "UTC")
    first = rule.after(START)
    assert first is not None
    now = first + 3 * 366 * 86_400_000
    found = decide(rule, first, now, misfire)
    latest = now - now % 60_000
    count = module.ALL_MAX if misfire == "all" else 1
    assert found.fire == [latest - 60_000 * place for place in reversed(range(count))]
    assert found.skipped is not None
    assert (found.skipped.first, found.skipped.are_more) == (first, True)
    assert (found.last, found.next) == (latest, latest + 60_000)
    assert found.looked < 10_000


@given(st.lists(st.integers(1, 500_000), min_size=1, max_size=30), st.sampled_from(["latest", "all", "skip"]))
def test_whenever_it_is_looked_at_each_instant_is_decided_once(steps: list[int], misfire: str) -> None:
    """Random looks: a clock that stands still or goes back shows the same instants, and none is decided again."""
    rule = Interval(60_000)
    waits, now = rule.after(START), START
    decided: list[int] = []
    for step in steps:
        now += step if step % 5 else -step
        if waits is None or now < waits:
            continue
        found: Decision = decide(rule, waits, now, misfire)
        skipped = (
            []
            if found.skipped is None
            else instants_between(rule, found.skipped.first, found.skipped.last, 10**5)
        )
        decided += sorted(found.fire + skipped)
        waits = found.next
    assert decided == [rule.after(START + 60_000 * place) for place in range(len(decided))]
