"""``tq keys``: what it prints of a quota, and of a key that is not the same in all shards."""

from __future__ import annotations

from typing import Any

from tq.client.cli.keys import note_of, used
from tq.client.cli.output import count

ROW: dict[str, Any] = {
    "queued": 1_200,
    "max_queued": 100_000,
    "queued_bytes": 5,
    "max_queued_bytes": None,
    "note": "mail",
}


def test_what_is_used_of_a_quota_is_said_with_the_shards_that_it_is_divided_over() -> None:
    assert used(ROW, "queued", count) == used({**ROW, "over": 1}, "queued", count) == "1,200 of 100,000"
    assert used({**ROW, "over": 16}, "queued", count) == "1,200 of 100,000, over 16 shards"
    assert used({**ROW, "over": 16}, "queued_bytes", count) == "5"
    assert used({**ROW, "queued": None}, "queued", count) == ""


def test_a_change_that_has_reached_some_shards_is_said_with_what_to_do() -> None:
    assert note_of(ROW) == "mail"
    assert note_of({**ROW, "uneven": True}) == "mail (not the same in all shards: change it again)"
    assert note_of({**ROW, "note": "", "uneven": True}) == "(not the same in all shards: change it again)"
