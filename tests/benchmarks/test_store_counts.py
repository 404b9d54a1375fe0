"""What the tasks of a map cost the store in statements: counts, so that any load of the machine gives the same."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("every", "most"), [(0, 0.02), (10, 0.25), (2, 1.1), (1, 2.1)])
def test_a_task_of_a_map_costs_no_more_statements_than_it_did(
    monkeypatch: pytest.MonkeyPatch, every: int, most: float
) -> None:
    """``every``: the how many-th tasks fail once; 0: none."""
    monkeypatch.syspath_prepend(ROOT)
    assert importlib.import_module("benchmarks.store_counts").counts(every).statements <= most
