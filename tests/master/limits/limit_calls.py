"""One good call of every method of limits: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

GOOD_CALLS: dict[str, list[Any]] = {
    "get_limits.list": ["a", 10],
    "get_limits.show": ["smtp", 10],
    "get_limits.set": ["smtp", {"max_running": 5, "rate": "1/s", "burst": 2}],
    "get_limits.reset": ["smtp"],
    "get_limits.remove": ["smtp"],
}
