"""Where a task stands in line, and when it starts."""

from __future__ import annotations

import random

import pytest
from tq.client.tasks.place import Estimate, Eta, Position, estimate_from, eta_of, position_from

from tests.sampling import sampled

FIRST = Estimate(earliest=1_000.0, latest=1_100.0, ahead=10, slots=4, per_second=2.0)


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        ({"ahead": 13}, "3 more tasks go before it"),
        ({"slots": 2}, "2 slots serve it, 4 before"),
        ({"per_second": 1.0}, "1 tasks end in a second, 2 before"),
    ],
)
def test_an_estimate_gets_later_with_a_cause(later: dict[str, int], cause: str) -> None:
    other = FIRST._replace(earliest=1_050.0, latest=1_300.0, **later)  # type: ignore[arg-type]
    assert other.after(FIRST) == (other, cause)


def test_without_a_cause_what_was_said_before_stays() -> None:
    noise = FIRST._replace(earliest=1_010.0, latest=1_120.0, per_second=1.95)
    kept, cause = noise.after(FIRST)
    assert (kept.earliest, kept.latest, cause) == (1_000.0, 1_100.0, "")


def test_an_earlier_estimate_is_said_at_once() -> None:
    sooner = FIRST._replace(earliest=900.0, latest=950.0, ahead=8)
    assert sooner.after(FIRST) == (sooner, "")
    assert FIRST.after(None) == (FIRST, "")


@pytest.mark.parametrize("seed", sampled(range(20), range(6)))
def test_in_a_random_life_no_estimate_is_later_than_before_without_a_cause(seed: int) -> None:
    chance, before, said = random.Random(seed), None, FIRST  # noqa: S311 - the same cases every time
    for _ in range(200):
        earliest = chance.uniform(900, 1_100)
        found = Estimate(
            earliest,
            earliest + chance.uniform(0, 100),
            chance.randrange(5, 15),
            chance.randrange(2, 5),
            chance.uniform(1.5, 2.5),
        )
        said, cause = found.after(before)
        if before is not None and not cause:
            assert said.latest <= before.latest
            assert said.earliest <= before.earliest
        before = said


def test_what_a_master_answers_is_read_and_what_an_earlier_one_does_not_say_is_none() -> None:
    assert position_from({"position": {"ahead": 7, "exact": False}}) == Position(7, is_exact=False)
    assert (position_from({}), estimate_from({}), estimate_from({"eta": None})) == (None, None, None)
    assert estimate_from({"eta": FIRST._asdict()}) == FIRST


def test_they_are_said_in_words() -> None:
    assert str(Position(1_234, is_exact=True)) == "1,234 before it"
    assert str(Position(7, is_exact=False)) == "at least 7 before it"
    eta = eta_of(FIRST, "fewer slots")
    assert isinstance(eta, Eta)
    assert str(eta) == "between 00:16:40 and 00:18:20 UTC (fewer slots)"
