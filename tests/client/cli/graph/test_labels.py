from __future__ import annotations

from tq.client.cli.graph.labels import COLOURS, WEIGHTS, cut, main_state, states_in_words, title
from tq.client.flows.graph import OUTSIDE, GraphNode
from tq.common.domain.model import State


def test_each_state_has_a_colour_and_a_weight() -> None:
    assert set(COLOURS) == set(WEIGHTS) == set(State)


def test_a_node_of_several_states_is_in_that_which_needs_a_person() -> None:
    states = {State.SUCCEEDED: 9_000, State.RUNNING: 2, State.FAILED: 1}
    node = GraphNode(first=1, tasks=9_003, queue="q", name="m:f\n", states=states)
    assert main_state(node) == State.FAILED
    assert states_in_words(node) == "9,000 succeeded, 2 running, 1 failed"
    assert title(node) == "m:f␊ ×9,003"


def test_what_is_not_of_the_flow_is_said_to_be_that() -> None:
    node = GraphNode(first=1, tasks=3, queue="", name="", rank=OUTSIDE)
    assert (title(node), main_state(node), states_in_words(node)) == ("3 tasks outside of the flow", None, "")
    assert cut("abcdef", 4) == "abc…"
