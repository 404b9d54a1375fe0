"""One good call of every method of tenants: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

GOOD_CALLS: dict[str, list[Any]] = {
    "get_tenants.list": ["a", 10],
    "get_tenants.plan": ["acme", {"weight": 3}],
    "get_tenants.set": ["acme", {"weight": 3, "max_running": 20}],
    "get_tenants.remove": ["acme"],
}
