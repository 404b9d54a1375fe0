"""What an audited call was done to, in words."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import show_id
from tq.master.api.audited import TARGET_CHARS_MAX, in_words

ID = bytes(range(16))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mail", "mail"),
        (7, "7"),
        (ID, show_id(ID)),
        ([ID], show_id(ID)),
        ([ID, ID], f"{show_id(ID)} and others"),
        ([[ID, 500]], f"{show_id(ID)} and others"),
        ({"states": [0, 11], "queues": ["a", "b"]}, "state=ready,failed queue=a,b"),
        ({"text": "password", "ids": [ID], "since": 5.0}, "text=… ids=… since=…"),
        ({}, "all"),
        # what peers may send, and methods refuse
        ([], ""),
        ([7], ""),
        ([[]], " and others"),
        (None, ""),
        ({"states": [99, "x", []], 7: 8}, "state=…,…,…"),
        ({"queues": [7, "a"]}, "queue=a"),
    ],
)
def test_names_ids_and_filters_are_said_without_what_tasks_were_given(given: Any, words: str) -> None:
    assert in_words(given) == words


def test_a_long_name_is_cut() -> None:
    assert len(in_words("x" * 5_000)) == TARGET_CHARS_MAX
