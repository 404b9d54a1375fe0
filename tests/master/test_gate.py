"""The gate: how many strangers, for how long, and how patient it is. By the limits' edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.commands import options
from tq.client.commands.doctor import network
from tq.master.gate import (
    ADDRESSES_MAX,
    HANDSHAKE_SECONDS_MAX,
    REFUSAL_DELAY_SECONDS,
    REFUSAL_RECOVERY_SECONDS,
    REFUSALS_FREE,
    SLOW_REFUSAL_DELAY_SECONDS,
    STRANGERS_MAX,
    STRANGERS_PER_ADDRESS_MAX,
    TLS_SECONDS_MAX,
    UNDISTURBED_SECONDS,
    Gate,
)

NOW = 1_000.0


def crowd(gate: Gate[int], size: int, *, first: int = 0, at: float = NOW) -> list[int]:
    """So many strangers, each address as full as it may be."""
    strangers = list(range(first, first + size))
    for stranger in strangers:
        address = f"10.0.{stranger // STRANGERS_PER_ADDRESS_MAX}"
        assert gate.enter(stranger, address, at) == (True, None)
    return strangers


# places


@pytest.mark.parametrize(
    ("there", "admitted"),
    [
        (STRANGERS_PER_ADDRESS_MAX - 2, True),
        (STRANGERS_PER_ADDRESS_MAX - 1, True),
        (STRANGERS_PER_ADDRESS_MAX, False),
        (STRANGERS_PER_ADDRESS_MAX + 1, False),
    ],
)
def test_one_address_has_so_many_places_and_no_more(there: int, admitted: bool) -> None:
    gate: Gate[int] = Gate()
    for number in range(there):
        assert gate.enter(number, "10.0.0.1", NOW)[0] == (number < STRANGERS_PER_ADDRESS_MAX)
    assert gate.enter(there, "10.0.0.1", NOW) == (admitted, None)
    assert gate.enter(-1, "10.0.0.2", NOW) == (True, None)


def spread(gate: Gate[int], size: int) -> list[int]:
    """So many strangers, each of an address of its own."""
    for stranger in range(size):
        assert gate.enter(stranger, f"10.1.{stranger}", NOW) == (True, None)
    return list(range(size))


@pytest.mark.parametrize(
    ("there", "admitted"), [(STRANGERS_MAX - 2, True), (STRANGERS_MAX - 1, True), (STRANGERS_MAX, False)]
)
def test_all_addresses_together_have_so_many_places_and_no_more(there: int, admitted: bool) -> None:
    gate: Gate[int] = Gate()
    spread(gate, there)
    assert gate.enter(-1, "192.0.2.1", NOW) == (admitted, None)


def test_who_comes_from_elsewhere_gets_the_place_of_one_of_a_crowd_at_once() -> None:
    gate: Gate[int] = Gate()
    crowd(gate, STRANGERS_MAX)
    assert gate.enter(-1, "192.0.2.1", NOW) == (True, 0)
    assert gate.enter(-2, "192.0.2.1", NOW)[0]
    assert gate.enter(-3, "10.0.5", NOW) == (False, None)  # one of the crowd itself has to wait


def test_two_of_one_address_are_no_crowd() -> None:
    gate: Gate[int] = Gate()
    for stranger in range(STRANGERS_MAX):
        gate.enter(stranger, f"10.1.{stranger // 2}", NOW)
    assert gate.enter(-1, "192.0.2.1", NOW) == (True, 0)
    assert gate.enter(-2, "192.0.2.1", NOW) == (False, None)


def test_a_place_given_back_is_somebody_elses() -> None:
    gate: Gate[int] = Gate()
    strangers = spread(gate, STRANGERS_MAX)
    assert gate.enter(-1, "192.0.2.1", NOW) == (False, None)
    gate.leave(strangers[0])
    assert gate.enter(-1, "192.0.2.1", NOW) == (True, None)
    assert gate.enter(-2, "192.0.2.1", NOW) == (False, None)


def test_a_place_is_given_back_once_however_often_it_is_said() -> None:
    gate: Gate[int] = Gate()
    strangers = spread(gate, STRANGERS_MAX)
    gate.leave(strangers[0])
    gate.leave(strangers[0])
    assert gate.enter(-1, "192.0.2.1", NOW)[0]
    assert not gate.enter(-2, "192.0.2.1", NOW)[0]


def test_who_was_not_admitted_took_no_place() -> None:
    gate: Gate[int] = Gate()
    strangers = spread(gate, STRANGERS_MAX)
    for number in range(3):
        assert not gate.enter(-1 - number, "192.0.2.1", NOW)[0]
    for stranger in strangers:
        gate.leave(stranger)
    spread(gate, STRANGERS_MAX)


@pytest.mark.parametrize(
    ("waited", "admitted"),
    [
        (UNDISTURBED_SECONDS - 0.001, False),
        (UNDISTURBED_SECONDS, True),
        (UNDISTURBED_SECONDS + 0.001, True),
    ],
)
@pytest.mark.parametrize("address", ["10.0.0", "192.0.2.1"], ids=["same address", "another"])
def test_who_has_had_his_time_gives_way_to_the_next(waited: float, admitted: bool, address: str) -> None:
    gate: Gate[int] = Gate()
    if address == "10.0.0":
        crowd(gate, STRANGERS_PER_ADDRESS_MAX)
    else:
        spread(gate, STRANGERS_MAX)
    assert gate.enter(-1, address, NOW + waited) == (admitted, 0 if admitted else None)


def test_of_one_address_its_own_oldest_gives_way() -> None:
    gate: Gate[int] = Gate()
    crowd(gate, 2 * STRANGERS_PER_ADDRESS_MAX)
    assert gate.enter(-1, "10.0.1", NOW + 1) == (True, STRANGERS_PER_ADDRESS_MAX)
    assert gate.enter(-2, "10.0.1", NOW + 1) == (True, STRANGERS_PER_ADDRESS_MAX + 1)


def test_who_came_last_is_not_the_one_to_go() -> None:
    gate: Gate[int] = Gate()
    crowd(gate, STRANGERS_PER_ADDRESS_MAX)
    for number in range(STRANGERS_PER_ADDRESS_MAX):
        assert gate.enter(100 + number, "10.0.0", NOW + 1) == (True, number)
    assert gate.enter(-1, "10.0.0", NOW + 1) == (False, None)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=200))
def test_the_places_in_use_are_always_those_taken_and_not_given_back(moves: list[tuple[bool, str]]) -> None:
    gate: Gate[int] = Gate()
    inside: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for number, (comes, address) in enumerate(moves):
        if comes:
            admitted, _ = gate.enter(-number, address, NOW)
            assert admitted == (len(inside[address]) < STRANGERS_PER_ADDRESS_MAX)
            if admitted:
                inside[address].append(-number)
        elif inside[address]:
            gate.leave(inside[address].pop())
    free = STRANGERS_MAX - sum(map(len, inside.values()))
    for stranger in range(free):
        assert gate.enter(stranger + 1, f"10.1.{stranger}", NOW) == (True, None)
    admitted, evicted = gate.enter(10_000, "192.0.2.1", NOW)
    assert admitted == (evicted is not None)  # somebody of a crowd has gone for it, or nobody could


# patience


def delays(
    gate: Gate[int], count: int, *, at: float = NOW, every: float = 0.0, address: str = "10.0.0.1"
) -> list[float]:
    return [gate.refusal_delay(address, at + number * every) for number in range(count)]


@pytest.mark.parametrize("before", [REFUSALS_FREE - 2, REFUSALS_FREE - 1, REFUSALS_FREE, REFUSALS_FREE + 1])
def test_answers_become_slow_after_so_many_wrong_proofs(before: int) -> None:
    gate: Gate[int] = Gate()
    delays(gate, before)
    [delay] = delays(gate, 1)
    assert delay == (REFUSAL_DELAY_SECONDS if before < REFUSALS_FREE else SLOW_REFUSAL_DELAY_SECONDS)


def test_one_address_does_not_slow_another() -> None:
    gate: Gate[int] = Gate()
    delays(gate, REFUSALS_FREE * 2)
    assert delays(gate, 1, address="10.0.0.2") == [REFUSAL_DELAY_SECONDS]


@pytest.mark.parametrize(
    ("waited", "delay"),
    [
        (REFUSAL_RECOVERY_SECONDS - 0.001, SLOW_REFUSAL_DELAY_SECONDS),
        (REFUSAL_RECOVERY_SECONDS, REFUSAL_DELAY_SECONDS),
        (REFUSAL_RECOVERY_SECONDS + 0.001, REFUSAL_DELAY_SECONDS),
    ],
)
def test_a_wrong_proof_is_forgiven_in_its_time(waited: float, delay: float) -> None:
    gate: Gate[int] = Gate()
    delays(gate, REFUSALS_FREE)
    assert delays(gate, 1, at=NOW + waited) == [delay]


def test_forgiveness_is_not_saved_up() -> None:
    gate: Gate[int] = Gate()
    delays(gate, 1)
    long_after = NOW + 1_000 * REFUSAL_RECOVERY_SECONDS
    expected = [REFUSAL_DELAY_SECONDS] * REFUSALS_FREE + [SLOW_REFUSAL_DELAY_SECONDS]
    assert delays(gate, REFUSALS_FREE + 1, at=long_after) == expected


def test_who_is_wrong_more_seldom_than_it_is_forgiven_is_never_slowed() -> None:
    assert set(delays(Gate[int](), 100, every=REFUSAL_RECOVERY_SECONDS)) == {REFUSAL_DELAY_SECONDS}


@pytest.mark.parametrize(
    ("others", "delay"),
    [
        (ADDRESSES_MAX - 1, SLOW_REFUSAL_DELAY_SECONDS),
        (ADDRESSES_MAX, REFUSAL_DELAY_SECONDS),
    ],
)
def test_so_many_addresses_are_remembered_and_the_oldest_is_forgotten_first(
    others: int, delay: float
) -> None:
    gate: Gate[int] = Gate()
    delays(gate, REFUSALS_FREE)
    for number in range(others):
        gate.refusal_delay(f"10.1.{number}", NOW)
    assert delays(gate, 1) == [delay]


def test_an_address_that_is_wrong_again_is_not_the_oldest_any_more() -> None:
    gate: Gate[int] = Gate()
    delays(gate, REFUSALS_FREE - 1)
    for number in range(ADDRESSES_MAX - 1):
        gate.refusal_delay(f"10.1.{number}", NOW)
    delays(gate, 1)
    gate.refusal_delay("192.0.2.1", NOW)  # one of the others is forgotten for it
    assert delays(gate, 1) == [SLOW_REFUSAL_DELAY_SECONDS]


def test_the_limits_are_those_that_are_documented() -> None:
    """docs/protocol.md: TLS in 5 s, the whole handshake in 10 s."""
    assert (TLS_SECONDS_MAX, HANDSHAKE_SECONDS_MAX) == (5.0, 10.0)
    assert SLOW_REFUSAL_DELAY_SECONDS + REFUSAL_DELAY_SECONDS < HANDSHAKE_SECONDS_MAX


def test_whoever_is_refused_slowly_still_waits_long_enough_to_read_why() -> None:
    for patience in (options.CONNECT_SECONDS, network.CONNECT_SECONDS):
        assert patience > SLOW_REFUSAL_DELAY_SECONDS + 1  # a second for the way and the handshake


def test_a_gate_for_those_who_do_not_try_again_gives_the_oldest_place_to_whoever_comes() -> None:
    gate: Gate[int] = Gate(places=3, per_address=3, patience=0.0)
    for stranger in range(3):
        assert gate.enter(stranger, "127.0.0.1", NOW) == (True, None)
    assert gate.enter(3, "127.0.0.1", NOW) == (True, 0)
    assert gate.enter(4, "10.0.0.1", NOW) == (True, 1)  # from elsewhere: one of the crowd's places
    assert gate.enter(5, "127.0.0.1", NOW) == (True, 2)
    assert len(gate) == 3
