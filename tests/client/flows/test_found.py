"""Flows as people name them: which ids are asked for, and what is said to one that means none or several."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.flows.found import _asked, _meant

ID = bytes.fromhex("019300a17c3e7b408c1d2f6a5e4d3c2b")
OTHER = bytes.fromhex("019300a17c3e7b408c1d2f6a5e4d3c2c")


def test_a_whole_id_is_not_asked_for_and_a_shortened_one_is() -> None:
    assert _asked("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b") == ID
    assert _asked("019300A1-7c3e") == ("019300a17c3e", "")
    assert _asked("0193..3c2b") == ("0193", "3c2b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nightly", "'nightly' is not a flow id; it looks like 0193"),
        ("019", "'019' is not a flow id"),
        (7, "7 is not a flow id"),
        ("019300a1+7", "names a task by its place; a flow is named by its id alone"),
    ],
)
def test_what_is_no_id_of_a_flow_is_refused(text: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=words.replace("+", r"\+")):
        _asked(text)


def test_a_shortened_id_of_none_or_of_several_says_so() -> None:
    row = {"id": ID, "name": "nightly"}
    assert _meant("0193", {"rows": [row], "more": False}) == ID
    with pytest.raises(tq.InvalidArgument, match="no flow has an id that begins as 0193"):
        _meant("0193", {"rows": [], "more": False})
    with pytest.raises(tq.InvalidArgument, match="may mean several flows; write more of the id") as caught:
        _meant("0193", {"rows": [row, {"id": OTHER, "name": "hourly"}], "more": True})
    assert "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2c  hourly\n  and others" in str(caught.value)
