"""What becomes of tasks whose needs have ended: in portions, and what is left in its turn."""

from __future__ import annotations

import pytest
from tq.master.dependencies import decisions, dependencies
from tq.master.engine.clock import Now

from .conftest import ERROR, Graph


def test_neighbours_that_fail_are_decided_in_portions_and_wait_in_their_turn(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "DECIDED_MAX", 10 * decisions.FALL_COST)
    pages = graph.submit(35)
    stored = graph.submit(35, each=pages)
    graph.finish(*graph.lease(), outcome=ERROR)
    assert graph.states(stored).count("failed") < 35
    while graph.part.has_more():
        before = graph.counts().get("blocked", 0)
        graph.bench.step()
        assert before - graph.counts().get("blocked", 0) <= 10
    assert graph.counts() == {"failed": 70}


def test_who_is_decided_already_is_not_decided_again(graph: Graph) -> None:
    page = graph.submit()
    graph.submit(needs=[page.first])
    [dependent] = [one for _, _, one in graph.part.known.needed.over(page)]
    decided = graph.part._decisions
    decided.add(dependent)
    decided.add(dependent)
    assert decided.has(dependent)
    dependent.open = 0
    decided.decide(10, Now(0, 0))
    assert not decided.ripe
    assert not decided.has(dependent)
