"""One good call of every method of strikes: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

GOOD_CALLS: dict[str, list[Any]] = {
    "get_strikes.list": [],
    "get_strikes.check": ["task=m:f"],
    "get_strikes.add": ["queue=elsewhere", "why", 60.0],
    "get_strikes.remove": [1],
}
