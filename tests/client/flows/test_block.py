"""The block of a flow: what it refuses, and the ids of its tasks."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.flows.flow import Flow
from tq.common.domain.ids import key_id


@pytest.fixture
def app() -> tq.App:
    return tq.App("tq://127.0.0.1:1", "secret")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on_error": "ignore"}, "on_error is one of fail_fast, collect, not 'ignore'"),
        ({"key": ""}, "key must be a non-empty str"),
        ({"key": 7}, "key must be a non-empty str"),
        ({"name": 7}, "a flow's name is text, not 7"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(
    app: tq.App, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(tq.InvalidArgument, match=words):
        app.flow(**options)


def test_tasks_of_a_flow_with_a_key_have_ids_that_follow_from_it_and_their_place(app: tq.App) -> None:
    flow = Flow(app.session, b"f" * 16, key="march")
    flow_text = "66666666-6666-6666-6666-666666666666"
    assert [flow.next_id("q", "m:f"), flow.next_id("q", "m:f")] == [
        key_id("q", "m:f", f"flow {flow_text} {place}") for place in (0, 1)
    ]
