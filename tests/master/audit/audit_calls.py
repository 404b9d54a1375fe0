"""One good call of every method of the audit log: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

GOOD_CALLS: dict[str, list[Any]] = {"get_audit.list": [50, 1_000, 0.0, "admin"]}
