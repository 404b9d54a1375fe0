"""Objects of a master, as a client calls them."""

from __future__ import annotations

from tq.client.core.repeatable import BUILT_IN, is_repeatable
from tq.master.tasks.calls import BUILT_IN as SERVED


def test_a_client_knows_all_that_a_master_has_built_in() -> None:
    assert SERVED.keys() == BUILT_IN


def test_looking_is_repeated_after_a_lost_connection_and_taking_away_is_not() -> None:
    assert is_repeatable("get_locks", "list")
    assert not is_repeatable("get_locks", "take_away")
