"""A filter from the wire is judged before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.master.tasks.wanted import PATTERN_CHARS_MAX, PATTERNS_MAX, Selection


@pytest.mark.parametrize(
    "wanted",
    [
        7,
        {"tags": ["order"]},
        {"tags": {"or der": ["x"]}},
        {"tags": {"order": "x"}},
        {"tags": {f"t{number}": ["x"] for number in range(17)}},
        {"colour": "red"},
        {"states": ["failed"]},
        {"queues": "q"},
        {"queues": [1]},
        {"names": ["x"] * (PATTERNS_MAX + 1)},
        {"tenants": "acme"},
        {"hosts": [b"web"]},
        {"workers": ["x" * (PATTERN_CHARS_MAX + 1)]},
        {"text": 5},
        {"text": "x" * 1_001},
        {"since": "now"},
        {"until": float("nan")},
        {"since": True},
        {"ids": [b"short", 1]},
        {"flow": "0193"},
    ],
)
def test_what_is_no_filter_is_refused(wanted: Any) -> None:
    with pytest.raises(InvalidArgument):
        Selection.from_wire(wanted)


def test_an_empty_field_matches_all() -> None:
    found = Selection.from_wire({"states": [], "queues": None, "text": "", "tags": None, "tenants": []})
    assert found == Selection()
    assert found.fits_time(0)
    assert found.fits_state(3)
    assert not found.asks_for_failure
    assert not found.asks_for_worker
