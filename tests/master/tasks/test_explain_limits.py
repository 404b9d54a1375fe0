"""What ``tq why`` says of a task that a limit holds back."""

from __future__ import annotations

from tq.common.domain.limits import Limit

from ..conftest import Bench
from ..in_lanes import submit
from ..in_limits import declare, leased, under


def test_why_names_the_limit_and_what_would_change_it(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1), Limit("mail", rate="60/min"))
    ids, slow = submit(bench, under("smtp", "a.example"), 2), submit(bench, under("mail"), 2)
    leased(bench.worker("m:f", slots=9), 9)
    why = bench.client().call("get_tasks", "why", ids[1])["why"]
    assert "limit smtp for a.example holds it back: 1 of at most 1 run" in why
    assert "tq limits set smtp --max-running" in why
    why = bench.client().call("get_tasks", "why", slow[1])["why"]
    assert "limit mail holds it back: 60/min may start, and the next may in 1.0 s" in why
