"""One good call of every method of schedules: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {
    "task": "m:f",
    "queue": "q",
    "cron": "0 3 * * *",
    "tz": "Europe/Prague",
    "misfire": "all",
    "overlap": "skip",
    "jitter": 3.0,
    "options": {"retries": 1},
    "payload": b"",
}
GOOD_CALLS: dict[str, list[Any]] = {
    "get_schedules.declare": [[["s", DEFINITION]]],
    "get_schedules.add": ["s", DEFINITION],
    "get_schedules.edit": ["s", {"every": 5.0}, True],
    "get_schedules.pause": ["s", "reason"],
    "get_schedules.resume": ["s"],
    "get_schedules.remove": ["s"],
    "get_schedules.run_now": ["s", b"k" * 16],
    "get_schedules.backfill": ["s", 1.6e9, 1.6e9],
    "get_schedules.list": [3, 10],
    "get_schedules.show": ["s", 10],
    "get_schedules.preview": ["s", 10, 1.7e9],
}
