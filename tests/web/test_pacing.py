"""How fast keys may be tried at the page."""

from __future__ import annotations

from tq.web.pacing import (
    ADDRESSES_MAX,
    RECOVERY_SECONDS,
    TRIES_FREE_MAX,
    TRIES_OF_ALL_MAX,
    TryLimiter,
)


def test_a_few_wrong_keys_are_free_and_the_next_one_waits() -> None:
    tries = TryLimiter()
    for _ in range(TRIES_FREE_MAX):
        assert tries.wait_seconds("a", 0.0) == 0
        tries.begin("a", 0.0)
    assert tries.wait_seconds("a", 0.0) == RECOVERY_SECONDS
    assert tries.wait_seconds("a", RECOVERY_SECONDS) == 0
    assert tries.wait_seconds("b", 0.0) == 0


def test_after_the_wait_one_try_is_free_and_not_all_of_them() -> None:
    tries = TryLimiter()
    for _ in range(TRIES_FREE_MAX):
        tries.begin("a", 0.0)
    tries.begin("a", RECOVERY_SECONDS)
    assert tries.wait_seconds("a", RECOVERY_SECONDS) > 0


def test_many_addresses_together_are_slowed_too() -> None:
    tries = TryLimiter()
    for number in range(TRIES_OF_ALL_MAX):
        tries.begin(str(number), 0.0)
    assert tries.wait_seconds("new", 0.0) > 0


def test_so_many_addresses_are_remembered_and_the_count_of_all_stays() -> None:
    tries = TryLimiter()
    for number in range(ADDRESSES_MAX + 50):
        tries.begin(str(number), 0.0)
    assert len(tries._tries) == ADDRESSES_MAX
    assert tries.wait_seconds("new", 0.0) > 0


def test_a_try_counts_while_it_is_under_way_and_not_when_the_key_was_right() -> None:
    tries = TryLimiter()
    for _ in range(TRIES_FREE_MAX):
        tries.begin("a", 0.0)
    assert tries.wait_seconds("a", 0.0) > 0
    tries.forgive("a", 0.0)
    assert tries.wait_seconds("a", 0.0) == 0
