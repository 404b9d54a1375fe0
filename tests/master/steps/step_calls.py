"""One good call of every method of steps: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

TOKEN: list[Any] = [b"r" * 16, 1, b"l" * 16]  # of the attempt that runs there
GOOD_CALLS: dict[str, list[Any]] = {
    "get_steps.recorded": [*TOKEN, 0],
    "get_steps.record": [*TOKEN, 1, "charge", b"\xc0", 0.5],
    "get_steps.sleep": [*TOKEN, 1, 60.0],
    "get_steps.wait": [*TOKEN, 1, "approved", 60.0, "admin"],
    "get_steps.signal": [b"r" * 16, "approved", b"\xc0", b"k" * 16],
}
