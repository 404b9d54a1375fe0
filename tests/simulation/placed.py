"""What workers have and tasks need, in the seeds that have it; and the law that no worker ever holds more than it has.

The draws are from a source of its own, so that seeds without it are what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from tq.common.domain.placing import Place, Placing, check_needs, check_where

WITH_NEEDS: Final = 10  # every so many seeds
GPU: Final = 1_000
NEEDS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"needs": {"gpu": GPU}},
    {"needs": {"gpu": GPU // 3}},
    {"needs": {"gpu": 2 * GPU, "mem": 3}},
    {"needs": {"mem": 5}},
    {"where": "zone=eu"},
    {"needs": {"gpu": GPU // 2}, "where": "zone!=us and has mem"},
)
HOSTS: Final[tuple[dict[str, Any], ...]] = (
    {"labels": {"zone": "eu"}, "resources": {"gpu": 3 * GPU, "mem": 7}},  # runs whatever is asked
    {"labels": {"zone": "us"}, "resources": {"gpu": 2 * GPU, "mem": 5}},
    {"labels": {}, "resources": {"mem": 6}},
    {"labels": {}, "resources": {}},
)


def chance_of(seed: int) -> Random | None:
    """None: nothing in this seed asks for anything."""
    return Random(~seed) if seed % WITH_NEEDS == 2 else None


def what_is_wrong(has: Mapping[str, Any], asked: list[Mapping[str, Any]]) -> str:
    """``asked``: the options of all tasks that a worker holds. Empty: it may hold them together."""
    place = Place.of(has["labels"], has["resources"], {})
    for options in asked:
        if "needs" not in options and "where" not in options:
            continue
        placing = Placing(check_needs(options.get("needs", {})), check_where(options.get("where", "")))
        if not place.room(placing):
            some = [one for one in asked if "needs" in one or "where" in one]
            return f"a worker with {dict(has)} holds what asks for {some}"
        place.take(placing, 1)
    return ""
