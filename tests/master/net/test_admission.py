"""The admission limiter: how many unauthenticated connections, for how long, and how fast they may guess. By the limits' edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli import options
from tq.client.cli.doctor import network
from tq.master.net.admission import (
    ADDRESSES_MAX,
    CHALLENGE_DELAY_SECONDS,
    GUESSING_PER_ADDRESS_MAX,
    HANDSHAKE_SECONDS_MAX,
    REFUSAL_DELAY_SECONDS,
    REFUSAL_RECOVERY_SECONDS,
    REFUSALS_FREE,
    REFUSALS_REMEMBERED_MAX,
    TLS_SECONDS_MAX,
    UNAUTHENTICATED_MAX,
    UNAUTHENTICATED_PER_ADDRESS_MAX,
    UNDISTURBED_SECONDS,
    AdmissionLimiter,
)

NOW = 1_000.0


def enter(limiter: AdmissionLimiter[int], count: int, address: str, *, first: int = 0) -> list[int]:
    for newcomer in range(first, first + count):
        assert limiter.enter(newcomer, address, NOW) == (True, None)
    return list(range(first, first + count))


def established(
    limiter: AdmissionLimiter[int], count: int, address: str, *, first: int = 0, at: float = NOW
) -> list[int]:
    for newcomer in enter(limiter, count, address, first=first):
        assert limiter.established(newcomer, at) == (True, None)
    return list(range(first, first + count))


def spread(limiter: AdmissionLimiter[int], size: int) -> list[int]:
    """So many newcomers past TLS, each of an address of its own."""
    for newcomer in range(size):
        assert limiter.enter(newcomer, f"10.1.{newcomer}", NOW) == (True, None)
        assert limiter.established(newcomer, NOW) == (True, None)
    return list(range(size))


# places


@pytest.mark.parametrize(
    "there", [UNAUTHENTICATED_MAX - 2, UNAUTHENTICATED_MAX - 1, UNAUTHENTICATED_MAX, UNAUTHENTICATED_MAX + 1]
)
def test_of_connections_that_cost_nothing_the_newest_takes_the_place_of_the_oldest(there: int) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    for newcomer in range(there):
        limiter.enter(newcomer, "10.0.0.1", NOW)
    assert limiter.enter(-1, "10.0.0.1", NOW) == (
        True,
        there - UNAUTHENTICATED_MAX if there >= UNAUTHENTICATED_MAX else None,
    )
    assert len(limiter) == min(there + 1, UNAUTHENTICATED_MAX)


def test_a_connection_past_tls_does_not_hold_up_the_others() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    honest = established(limiter, 3, "10.0.0.1")
    for newcomer in range(100, 100 + 10 * UNAUTHENTICATED_MAX):
        _, evicted = limiter.enter(newcomer, "10.0.0.1", NOW)
        assert evicted not in honest
    assert len(limiter) == UNAUTHENTICATED_MAX


def test_from_elsewhere_one_gets_the_place_of_one_of_a_crowd() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    enter(limiter, 10, "10.0.0.1")
    enter(limiter, UNAUTHENTICATED_MAX - 10, "10.0.0.2", first=10)
    assert limiter.enter(-1, "192.0.2.1", NOW) == (True, 10)
    assert limiter.enter(-2, "10.0.0.1", NOW) == (True, 11)


@pytest.mark.parametrize(
    ("there", "admitted"),
    [(UNAUTHENTICATED_PER_ADDRESS_MAX - 1, True), (UNAUTHENTICATED_PER_ADDRESS_MAX, False)],
)
def test_past_tls_one_address_has_so_many_places_and_no_more(there: int, admitted: bool) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    established(limiter, there, "10.0.0.1")
    limiter.enter(-1, "10.0.0.1", NOW)
    assert limiter.established(-1, NOW) == (admitted, None)
    limiter.enter(-2, "10.0.0.2", NOW)
    assert limiter.established(-2, NOW) == (True, None)


def test_an_address_that_guesses_has_fewer() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    for _ in range(REFUSALS_FREE):
        limiter.failed("10.0.0.1", NOW)
    established(limiter, GUESSING_PER_ADDRESS_MAX, "10.0.0.1")
    limiter.enter(-1, "10.0.0.1", NOW)
    assert limiter.established(-1, NOW) == (False, None)


@pytest.mark.parametrize(
    ("waited", "admitted"),
    [
        (UNDISTURBED_SECONDS - 0.001, False),
        (UNDISTURBED_SECONDS, True),
        (UNDISTURBED_SECONDS + 0.001, True),
    ],
)
def test_past_tls_the_oldest_gives_way_when_it_has_had_its_time(waited: float, admitted: bool) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    established(limiter, UNAUTHENTICATED_PER_ADDRESS_MAX, "10.0.0.1")
    limiter.enter(-1, "10.0.0.1", NOW + waited)
    assert limiter.established(-1, NOW + waited) == (admitted, 0 if admitted else None)


@pytest.mark.parametrize("waited", [UNDISTURBED_SECONDS - 0.001, UNDISTURBED_SECONDS])
def test_when_all_are_past_tls_a_newcomer_waits_for_the_time_of_the_oldest(waited: float) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    spread(limiter, UNAUTHENTICATED_MAX)
    admitted = waited >= UNDISTURBED_SECONDS
    assert limiter.enter(-1, "192.0.2.1", NOW + waited) == (admitted, 0 if admitted else None)


def test_a_crowd_past_tls_gives_way_to_others_at_once() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter(places=6, per_address=4)
    established(limiter, 4, "10.0.0.1")
    established(limiter, 2, "10.0.0.2", first=10)
    assert limiter.enter(-1, "192.0.2.1", NOW) == (True, 0)


def test_a_place_is_given_back_once_however_often_it_is_said() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    newcomers = spread(limiter, UNAUTHENTICATED_MAX)
    limiter.leave(newcomers[0])
    limiter.leave(newcomers[0])
    assert limiter.enter(-1, "192.0.2.1", NOW) == (True, None)
    assert limiter.established(-1, NOW) == (True, None)
    assert limiter.enter(-2, "192.0.2.2", NOW) == (False, None)


def test_an_evicted_connection_does_not_go_on() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter(places=1)
    limiter.enter(1, "10.0.0.1", NOW)
    assert limiter.enter(2, "10.0.0.1", NOW) == (True, 1)
    assert limiter.established(1, NOW) == (False, None)


@given(
    st.lists(
        st.tuples(st.sampled_from(["comes", "speaks", "leaves"]), st.integers(0, 30), st.sampled_from("abc")),
        max_size=200,
    )
)
def test_the_places_in_use_are_always_those_taken_and_not_given_back(
    moves: list[tuple[str, int, str]],
) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter(places=5, per_address=2)
    inside: set[int] = set()
    for at, (move, number, address) in enumerate(moves):
        now = NOW + at * UNDISTURBED_SECONDS / 3
        if move == "comes" and number not in inside:
            admitted, evicted = limiter.enter(number, address, now)
            inside -= {evicted} if evicted is not None else set()
            inside |= {number} if admitted else set()
        elif move == "speaks" and number in inside:
            admitted, evicted = limiter.established(number, now)
            inside -= {evicted} if evicted is not None and evicted != number else set()
            if not admitted:
                limiter.leave(number)
                inside.discard(number)
        elif move == "leaves":
            limiter.leave(number)
            inside.discard(number)
        assert len(limiter) == len(inside) <= 5


def test_a_connection_that_is_said_to_be_established_twice_keeps_its_one_place() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter(places=5, per_address=2)
    for number in (0, 1):
        assert limiter.enter(number, "a", NOW) == (True, None)
        assert limiter.established(number, NOW) == (True, None)
    assert limiter.established(0, NOW + 10 * UNDISTURBED_SECONDS) == (True, None)
    assert len(limiter) == 2


# undisturbed_seconds


def fail(limiter: AdmissionLimiter[int], count: int, *, address: str = "10.0.0.1", at: float = NOW) -> None:
    for _ in range(count):
        limiter.failed(address, at)


@pytest.mark.parametrize("before", [0, REFUSALS_FREE - 1, REFUSALS_FREE, REFUSALS_FREE + 1])
def test_challenges_become_slow_after_so_many_wrong_proofs(before: int) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, before)
    assert limiter.challenge_delay("10.0.0.1", NOW) == (
        CHALLENGE_DELAY_SECONDS if before >= REFUSALS_FREE else 0
    )
    assert limiter.challenge_delay("10.0.0.2", NOW) == 0


@pytest.mark.parametrize("waited", [REFUSAL_RECOVERY_SECONDS - 0.001, REFUSAL_RECOVERY_SECONDS + 0.001])
def test_a_wrong_proof_is_forgiven_in_its_time(waited: float) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, REFUSALS_FREE)
    delay = 0.0 if waited > REFUSAL_RECOVERY_SECONDS else CHALLENGE_DELAY_SECONDS
    assert limiter.challenge_delay("10.0.0.1", NOW + waited) == delay


def test_whose_challenges_cannot_wait_is_answered_late() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    delays = [limiter.refusal_delay("10.0.0.1", NOW) for _ in range(REFUSALS_FREE + 1)]
    assert delays == [REFUSAL_DELAY_SECONDS] * (REFUSALS_FREE - 1) + [CHALLENGE_DELAY_SECONDS] * 2


def test_forgiveness_is_not_saved_up() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, 1)
    fail(limiter, REFUSALS_FREE, at=NOW + 1_000 * REFUSAL_RECOVERY_SECONDS)
    assert limiter.challenge_delay("10.0.0.1", NOW + 1_000 * REFUSAL_RECOVERY_SECONDS) > 0


def test_even_a_million_wrong_proofs_are_forgiven_within_minutes() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, 10_000)
    all_of_them = (REFUSALS_REMEMBERED_MAX - REFUSALS_FREE + 1) * REFUSAL_RECOVERY_SECONDS
    assert limiter.challenge_delay("10.0.0.1", NOW + all_of_them - 1) > 0
    assert limiter.challenge_delay("10.0.0.1", NOW + all_of_them + 1) == 0


@pytest.mark.parametrize(("others", "remembered"), [(ADDRESSES_MAX - 1, True), (ADDRESSES_MAX, False)])
def test_so_many_addresses_are_remembered_and_the_oldest_is_forgotten_first(
    others: int, remembered: bool
) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, REFUSALS_FREE)
    for number in range(others):
        limiter.failed(f"10.1.{number}", NOW)
    assert (limiter.challenge_delay("10.0.0.1", NOW) > 0) == remembered


def test_an_address_that_is_wrong_again_is_not_the_oldest_any_more() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, REFUSALS_FREE)
    for number in range(ADDRESSES_MAX - 1):
        limiter.failed(f"10.1.{number}", NOW)
    fail(limiter, 1)
    limiter.failed("192.0.2.1", NOW)  # one of the others is forgotten for it
    assert limiter.challenge_delay("10.0.0.1", NOW) > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unknown", "unknown", True),
        ("un:known", "un:known", True),
    ],
)
def test_a_network_of_ipv6_is_one_address(one: str, other: str, same: bool) -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter()
    fail(limiter, REFUSALS_FREE, address=one)
    assert (limiter.challenge_delay(other, NOW) > 0) == same


def test_the_limits_are_those_that_are_documented() -> None:
    """docs/protocol.md: TLS in 5 s, the whole handshake in 10 s."""
    assert (TLS_SECONDS_MAX, HANDSHAKE_SECONDS_MAX) == (5.0, 10.0)
    assert TLS_SECONDS_MAX + CHALLENGE_DELAY_SECONDS + REFUSAL_DELAY_SECONDS < HANDSHAKE_SECONDS_MAX


def test_a_slow_refusal_still_comes_while_the_client_waits() -> None:
    for undisturbed_seconds in (options.CONNECT_SECONDS, network.CONNECT_SECONDS):
        assert (
            undisturbed_seconds > CHALLENGE_DELAY_SECONDS + REFUSAL_DELAY_SECONDS + 1
        )  # a second for the way and TLS


def test_a_limiter_for_clients_that_do_not_try_again_gives_the_oldest_place_to_the_newest() -> None:
    limiter: AdmissionLimiter[int] = AdmissionLimiter(places=3, per_address=3, undisturbed_seconds=0.0)
    for newcomer in range(3):
        assert limiter.enter(newcomer, "127.0.0.1", NOW) == (True, None)
    assert limiter.enter(3, "127.0.0.1", NOW) == (True, 0)
    assert limiter.enter(4, "10.0.0.1", NOW) == (True, 1)  # from elsewhere: one of the crowd's places
    assert limiter.enter(5, "127.0.0.1", NOW) == (True, 2)
    assert len(limiter) == 3
