"""What two shards say of a limit, as one row."""

from __future__ import annotations

from typing import Any

from tq.client.core.limit_rows import one_limit


def limit(max_running: int | None, rate: str | None, burst: int | None, **others: Any) -> dict[str, Any]:
    bounds = {"max_running": max_running, "rate": rate, "burst": burst}
    return {**bounds, "programs": 1, "differing": 0, **others}


def test_the_same_in_both_are_the_same_programs_and_nothing_else_is_said() -> None:
    assert one_limit(limit(4, "9/s", 4), limit(4, "9/s", 4, differing=1)) == {"programs": 1, "differing": 1}


def test_other_numbers_in_some_shards_are_said_and_the_largest_shown() -> None:
    row = one_limit(limit(4, "9/s", 4), limit(40, "60/min", 8))
    assert (row["uneven"], row["max_running"], row["rate"], row["burst"]) == (True, 40, "9/s", 8)
    row = one_limit(limit(4, "9/s", 4), limit(None, None, None))
    assert (row["uneven"], row["max_running"], row["rate"], row["burst"]) == (True, None, None, None)
