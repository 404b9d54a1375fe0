"""The name that was probably meant, and what it costs to find it."""

from __future__ import annotations

import time

import pytest
from tq.common.domain.likely_names import CHARS_MAX, NAMES_MAX, likely_name

KNOWN = ["jobs:square", "jobs:cube", "mail:send"]


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("jobs:squre", "jobs:square"),  # left out
        ("jobs:squuare", "jobs:square"),  # doubled
        ("jobs:sqaure", "jobs:square"),  # swapped
        ("jbos:sqaure", "jobs:square"),  # swapped twice
        ("jobs:Square", "jobs:square"),
        ("job:square", "jobs:square"),
        ("myapp.tasks:square", "jobs:square"),  # the same function elsewhere
        ("jobs:cuba", "jobs:cube"),
    ],
)
def test_a_mistyped_name_is_found(mistyped: str, meant: str) -> None:
    assert likely_name(mistyped, KNOWN) == meant


@pytest.mark.parametrize("name", ["jobs:triangle", "other:thing", "jobs:sq", "jobs:square"])
def test_another_name_is_not_taken_for_one_that_is_known(name: str) -> None:
    assert likely_name(name, KNOWN) is None


def test_names_made_to_be_expensive_cost_a_bounded_time() -> None:
    names = ["ab" * (CHARS_MAX // 2 - 1) + f"x{number % 10}" for number in range(10 * NAMES_MAX)]
    began = time.thread_time()
    assert likely_name("ba" * (CHARS_MAX // 2), names) is None
    assert time.thread_time() - began < 0.5
