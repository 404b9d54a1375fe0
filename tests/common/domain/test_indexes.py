"""Which unit of a resource a task has: laws over random lives, and who is put where."""

from __future__ import annotations

import random

import pytest
from tq.common.domain.amounts import THOUSANDTHS
from tq.common.domain.indexes import INDEXES_MAX, Given, Indexes, Own, own_indexes, read_names
from tq.common.errors import ConfigError, InvalidArgument

from tests.sampling import sampled

HALF = THOUSANDTHS // 2


def gpus(count: int) -> Indexes:
    return Indexes({"gpu": [str(number) for number in range(count)]})


def test_halves_share_an_index_and_a_whole_one_stays_free() -> None:
    two = gpus(2)
    first, second = two.take([("gpu", HALF)]), two.take([("gpu", HALF)])
    assert first == second
    whole = two.take([("gpu", THOUSANDTHS)])
    assert whole is not None
    assert two.named(whole) == {"gpu": ["1"]}
    assert two.take([("gpu", 1)]) is None
    two.give_back(whole)
    assert two.take([("gpu", THOUSANDTHS), ("mem", 5 * THOUSANDTHS)]) == whole


def test_a_process_gets_again_what_it_had_where_that_is_free() -> None:
    four = gpus(4)
    had = (four.take([("gpu", THOUSANDTHS)]), four.take([("gpu", THOUSANDTHS)]))[1]
    assert had is not None
    four.give_back(had)
    assert four.named(had) == {"gpu": ["1"]}
    assert four.take([("gpu", 2 * THOUSANDTHS)], had) == (*had, ("gpu", 2, THOUSANDTHS))


def test_two_and_a_half_are_two_of_its_own_and_a_part_of_a_third() -> None:
    three = gpus(3)
    half = three.take([("gpu", HALF)])
    given = three.take([("gpu", 2 * THOUSANDTHS + HALF)])
    assert half is not None
    assert given is not None
    assert sorted(part.amount for part in given) == [HALF, THOUSANDTHS, THOUSANDTHS]
    assert {part.place for part in given if part.amount == HALF} == {part.place for part in half}


@pytest.mark.parametrize("seed", sampled(range(20), range(6)))
def test_over_random_lives_an_index_is_never_given_twice_and_a_whole_user_is_alone_on_it(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - of a test
    count = chance.randint(1, 6)
    all_of_them = Indexes({"gpu": [str(one) for one in range(count)], "port": ["a", "b"]})
    lives: list[Given] = []
    refused = 0
    for _ in range(500):
        if lives and chance.random() < 0.45:
            all_of_them.give_back(lives.pop(chance.randrange(len(lives))))
        amounts = [chance.choice([1, 250, HALF, 999, THOUSANDTHS, 1_500, 2 * THOUSANDTHS]) for _ in range(2)]
        needs = list(zip(("gpu", "port"), amounts, strict=True))[: chance.randint(1, 2)]
        liked = chance.choice(lives) if lives and chance.random() < 0.5 else ()
        before = [list(life) for life in lives]
        given = all_of_them.take(needs, liked)
        if given is None:
            refused += 1
        else:
            asked = dict(needs)
            assert {name: sum(p.amount for p in given if p.resource == name) for name in asked} == asked
            lives.append(given)
        assert [list(life) for life in lives[: len(before)]] == before
        users: dict[tuple[str, int], list[int]] = {}
        for life in lives:
            for part in life:
                users.setdefault((part.resource, part.place), []).append(part.amount)
        for amounts in users.values():
            assert sum(amounts) <= THOUSANDTHS
            assert THOUSANDTHS not in amounts or len(amounts) == 1
    assert refused
    for life in lives:
        all_of_them.give_back(life)
    assert all_of_them.take([("gpu", count * THOUSANDTHS), ("port", 2 * THOUSANDTHS)]) is not None


def test_units_are_named_or_numbered_and_gpus_are_those_that_the_worker_is_shown() -> None:
    own = {
        "gpu": Own(2_000),
        "mem": Own(16 * 10**12),
        "part": Own(500),
        "port": read_names("port", ["a", "b"]),
    }
    assert own_indexes(own, {}) == {"gpu": ("0", "1"), "port": ("a", "b")}
    assert own_indexes(own, {"CUDA_VISIBLE_DEVICES": "3, 5,7"})["gpu"] == ("3", "5")
    with pytest.raises(ConfigError, match=r"shows this worker 1; write --resource gpu=1"):
        own_indexes(own, {"CUDA_VISIBLE_DEVICES": "3"})
    named = {"gpu": read_names("gpu", [0, 3])}
    assert named["gpu"].amount == 2_000
    assert own_indexes(named, {"CUDA_VISIBLE_DEVICES": "9"})["gpu"] == ("0", "3")


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a b"], ["a", ""], [True], [0.5], ["x" * 65]])
def test_names_that_are_none_are_refused_with_what_to_write(names: list[object]) -> None:
    with pytest.raises(InvalidArgument, match=r"as in gpu=0,1"):
        read_names("gpu", names)
    with pytest.raises(InvalidArgument, match="at most 1,000"):
        read_names("gpu", list(range(INDEXES_MAX + 1)))


def test_amounts_are_counted_where_that_is_asked_for_and_have_no_names() -> None:
    indexes = Indexes({"gpu": ("0", "1")})
    memory = (("mem", 10 * THOUSANDTHS),)
    assert not indexes.concern(memory)
    indexes.count_amounts({"gpu": Own(2 * THOUSANDTHS), "mem": Own(16 * THOUSANDTHS)})
    assert indexes.concern(memory)
    given = indexes.take((*memory, ("gpu", THOUSANDTHS)))
    assert given is not None
    assert indexes.named(given) == {"gpu": ["0"]}
    assert indexes.take(memory) is None
    assert indexes.fits((("mem", 6 * THOUSANDTHS),))
    indexes.give_back(given)
    assert indexes.fits((("mem", 16 * THOUSANDTHS), ("gpu", 2 * THOUSANDTHS)))
