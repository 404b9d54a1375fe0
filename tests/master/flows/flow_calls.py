"""One good call of every method of flows: part of the table in ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

FLOW = b"f" * 16
GOOD_CALLS: dict[str, list[Any]] = {
    "get_flows.open": [FLOW, "nightly", "collect", b"key"],
    "get_flows.seal": [FLOW],
    "get_flows.call_back": [FLOW, b"k" * 16, "then", "q", "m:f", {"retries": 1}],
    "get_flows.cancel": [FLOW, "reason"],
    "get_flows.retry": [FLOW, 1],
    "get_flows.wait": [FLOW],
    "get_flows.show": [FLOW],
    "get_flows.members": [FLOW, 3],
    "get_flows.graph": [FLOW, 3],
    "get_flows.list": [3, 10, True],
    "get_flows.meant": ["0193", "ab"],
    "get_flows.of_task": [b"t" * 16],
}
