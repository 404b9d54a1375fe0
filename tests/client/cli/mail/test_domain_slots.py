"""Domains in turn, none with more than its places; who is put off holds none."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli.mail.domain_slots import DomainSlots


def places(domains: str, per_domain: int) -> DomainSlots:
    return DomainSlots(enumerate(domains), per_domain=per_domain)


def test_domains_come_in_turn() -> None:
    assert places("aaabbc", 9).take(9) == [0, 3, 5, 1, 4, 2]


def test_a_domain_has_so_many_places_and_gets_them_back() -> None:
    some = places("aaaab", 2)
    assert some.take(9) == [0, 4, 1]
    assert some.take(9) == []
    some.end(0)
    assert some.take(9) == [2]
    assert some.under_way == 3


def test_without_a_limit_all_go() -> None:
    assert len(places("a" * 50, 0).take(99)) == 50


def test_who_is_put_off_holds_no_place_and_takes_one_when_it_comes_back() -> None:
    some = places("aaaa", 1)
    assert some.take(9) == [0]
    some.note_put_off({0})
    assert (some.put_off, some.under_way) == (1, 0)
    assert some.take(9) == [1]
    some.note_put_off(set())  # it came back: two are under way, by the server's own wish
    some.end(1)
    assert some.take(9) == []
    some.end(0)
    assert some.take(9) == [2]


def test_who_was_put_off_may_end() -> None:
    some = places("aa", 1)
    some.take(1)
    some.note_put_off({0})
    some.end(0)
    assert (some.put_off, some.take(9)) == (0, [1])


def test_one_more_may_come() -> None:
    some = places("a", 1)
    some.take(9)
    some.add(7, "a")
    assert some.take(9) == []
    some.end(0)
    assert some.take(9) == [7]
    assert some.is_empty


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 4), st.integers(0, 2**32))
def test_every_message_is_taken_once_and_no_domain_exceeds_its_places(
    domains: list[str], per_domain: int, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    some = DomainSlots(enumerate(domains), per_domain=per_domain)
    under_way: set[int] = set()
    seen: list[int] = []
    while not some.is_empty or under_way:
        taken = some.take(chance.randint(1, 9))
        seen += taken
        under_way.update(taken)
        busy = Counter(domains[number] for number in under_way)
        assert all(count <= per_domain for count in busy.values())
        for number in [number for number in under_way if chance.random() < 0.5]:
            under_way.discard(number)
            some.end(number)
    assert sorted(seen) == list(range(len(domains)))
