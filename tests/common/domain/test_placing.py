"""Where a task may run: never more than there is, nothing passed over without end, and why not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.placing import (
    ANYWHERE,
    Place,
    Placing,
    Reason,
    check_needs,
    check_where,
    keep,
    nearest,
    read_needs,
)
from tq.common.errors import InvalidArgument

from ...properties import examples


def place(resources: dict[str, int], free: dict[str, int] | None = None, **labels: str) -> Place:
    return Place(labels, resources, dict(resources if free is None else free))


def test_a_condition_that_is_too_long_as_it_is_kept_is_refused_when_it_comes() -> None:
    values = [f"v{number}" for number in range(215)]
    with pytest.raises(InvalidArgument, match=r"where has 1,\d+ characters; at most 1,000"):
        check_where(f"zone in({','.join(values)})")  # 983 characters
    kept = check_where(f"zone in({','.join(values[:100])})")
    assert check_where(kept) == kept
    assert place({}, zone="v7").suits(Placing((), kept))


def test_needs_are_read_exactly_and_in_one_order() -> None:
    assert read_needs({"mem": "4G", "gpu": 0.5}) == (("gpu", 500), ("mem", 4 * 10**12))
    assert check_needs({"mem": 4 * 10**12, "gpu": 500}) == read_needs({"gpu": "0.5", "mem": "4G"})


@pytest.mark.parametrize(
    ("needs", "complaint"),
    [
        ("gpu", "needs is a map of amounts"),
        (["gpu"], "needs is a map of amounts"),
        ({"g p": 1}, "a resource has a name"),
        ({"has": 1}, "a resource has a name"),
        ({7: 1}, "a resource has a name"),
        ({"gpu": 0}, "needs: gpu is out of range"),
        ({"gpu": -1}, "needs: gpu is an amount"),
        ({"gpu": "many"}, "needs: gpu is an amount"),
        ({f"r{n}": 1 for n in range(17)}, "needs names 17 resources"),
    ],
)
def test_faulty_needs_are_refused_by_name(needs: Any, complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        read_needs(needs)


def test_a_condition_is_kept_in_one_form() -> None:
    assert check_where(" zone =eu  and (arch in (b,a)) ") == "zone=eu and arch in (a, b)"
    assert check_where("  ") == ""
    with pytest.raises(InvalidArgument, match="where is a condition"):
        check_where(7)


def test_there_is_room_for_what_is_free() -> None:
    worker = Place.of({"zone": "eu"}, {"gpu": 2_000, "mem": 16_000}, {"gpu": 500})
    assert worker.room(Placing((("gpu", 500),))) == 3
    assert worker.room(Placing((("gpu", 1_000), ("mem", 4_000)))) == 1
    assert worker.room(Placing((("gpu", 500),), "zone=us")) == 0
    assert worker.room(Placing((("tpu", 1),))) == 0
    assert worker.room(ANYWHERE) > 10**9


def test_a_worker_that_came_back_with_less_than_it_holds_has_no_room() -> None:
    worker = Place.of({}, {"gpu": 1_000}, {"gpu": 3_000, "gone": 5})
    assert worker.room(Placing((("gpu", 1),))) == 0
    assert [one.reason for one in worker.obstacles(Placing((("gpu", 1_000),)))] == [Reason.BUSY]


def test_what_is_missing_is_named() -> None:
    worker = place({"gpu": 1_000, "mem": 16 * 10**12}, {"gpu": 0, "mem": 16 * 10**12}, zone="us")
    asked = Placing(read_needs({"gpu": 1, "mem": "64G", "tpu": 2}), "zone=eu and rack=7")
    assert [str(one) for one in worker.obstacles(asked)] == [
        "its zone is us (zone=eu)",
        "it has no rack (rack=7)",
        "0 gpu free (needs 1)",
        "it has 16G mem in all (needs 64G)",
        "it has no tpu (needs 2)",
    ]


def test_the_nearest_worker_lacks_the_least_that_stays() -> None:
    asked = Placing((("gpu", 2_000),), "zone=eu")
    workers = [
        ("far", place({}, zone="us")),
        ("small", place({"gpu": 1_000}, zone="eu")),
        ("busy", place({"gpu": 4_000}, {"gpu": 0}, zone="eu")),
        ("wrong", place({"gpu": 8_000}, zone="us")),
    ]
    found = nearest(asked, workers)
    assert found is not None
    assert found[0] == "busy"
    found = nearest(asked, workers[:2])
    assert found is not None
    assert found[0] == "small"
    assert nearest(asked, []) is None


# properties

NAMES = ["gpu", "mem", "disk"]
NEEDS = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3_000), min_size=1).map(
    lambda some: Placing(tuple(sorted(some.items())))
)
PLACES = st.builds(place, st.dictionaries(st.sampled_from(NAMES), st.integers(1, 5_000)))


@examples(300)
@given(st.lists(NEEDS, max_size=12), PLACES)
def test_what_is_given_never_exceeds_what_there_is(asked: list[Placing], worker: Place) -> None:
    for placing in asked:
        worker.take(placing, worker.room(placing) // 2)
        worker.take(placing, worker.room(placing))
        assert worker.room(placing) == 0
        assert all(free >= 0 for name, free in worker.free.items() if name in worker.resources)


@examples(300)
@given(NEEDS, PLACES)
def test_there_is_room_exactly_when_nothing_is_in_the_way(asked: Placing, worker: Place) -> None:
    worker.take(Placing((("gpu", 700),)), 1 if worker.free.get("gpu", 0) >= 700 else 0)
    assert (worker.room(asked) > 0) == (not worker.obstacles(asked))
    assert worker.suits(asked) == all(one.reason is Reason.BUSY for one in worker.obstacles(asked))


@examples(100)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(2, 8))
def test_a_big_task_starts_although_small_ones_never_cease(seed: int, workers: int, gpus: int) -> None:
    """Small tasks keep coming, and end in any order; the big one is first in order and needs a whole worker. It starts when each task
    that ran when it came has ended, at the latest."""
    draw = random.Random(seed)  # noqa: S311
    small, big = Placing((("gpu", 1_000),)), Placing((("gpu", gpus * 1_000),))
    running = [gpus] * workers  # small tasks that each worker holds
    for _ in range(2 * workers * gpus):
        ending = draw.choice([at for at, count in enumerate(running) if count])
        running[ending] -= 1
        places = [Place.of({}, {"gpu": gpus * 1_000}, {"gpu": count * 1_000}) for count in running]
        if any(one.room(big) for one in places):
            return
        assert keep(big, places) is not None
        for at, one in enumerate(places):  # whatever is not kept goes to small ones at once
            running[at] += one.room(small)
    raise AssertionError(f"the big task was passed over: {running}")


def test_nothing_is_kept_for_what_no_worker_can_run() -> None:
    worker = place({"gpu": 1_000})
    assert keep(Placing((("gpu", 2_000),)), [worker]) is None
    assert worker.free == {"gpu": 1_000}


def test_nothing_is_kept_for_what_has_room_already() -> None:
    worker = place({"gpu": 1_000})
    assert keep(Placing((("gpu", 1_000),)), [worker]) is None
