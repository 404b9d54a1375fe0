"""Runs that overlap, compared with a list that is searched from end to end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind
from tq.master.engine.overlaps import Overlaps

PREFIXES = [bytes([number]) * 12 for number in (1, 2)]
run = st.builds(
    lambda prefix, place, length: IdRun(prefix + place.to_bytes(4, "big"), length),
    st.sampled_from(PREFIXES),
    st.one_of(st.integers(0, 60), st.integers(4_000, 4_200), st.integers(0, 2**31)),
    st.one_of(st.integers(1, 40), st.integers(1, 9_000), st.integers(1, 2**30)),
)


@given(st.lists(st.tuples(run, st.booleans()), max_size=40), st.lists(run, max_size=8))
def test_what_overlaps_is_what_a_search_finds(
    given_runs: list[tuple[IdRun, bool]], asked: list[IdRun]
) -> None:
    overlaps: Overlaps[str] = Overlaps()
    kept: dict[int, IdRun] = {}
    for number, (one, stays) in enumerate(given_runs):
        overlaps.add(one, number, f"value {number}")
        kept[number] = one
        if not stays:
            gone = min(kept)
            overlaps.forget(kept.pop(gone), gone)
    for wanted in asked + list(kept.values()):
        expected = []
        for number, one in kept.items():
            low, high = max(one.ends()[0], wanted.ends()[0]), min(one.ends()[1], wanted.ends()[1])
            if low <= high and one.first[:12] == wanted.first[:12]:
                place = int.from_bytes(low, "big") - int.from_bytes(one.first, "big")
                expected.append(
                    (number, low, int.from_bytes(high, "big") - int.from_bytes(low, "big") + 1, place)
                )
        found = [
            (int(value.split()[1]), part.first, part.length, place)
            for part, place, value in overlaps.over(wanted)
        ]
        assert sorted(found) == sorted(expected)
        assert overlaps.has(wanted) == bool(expected)
    for number, one in kept.items():
        overlaps.forget(one, number)
    assert not overlaps


def test_very_many_in_any_order_take_no_time_each() -> None:
    overlaps: Overlaps[int] = Overlaps()
    first = PREFIXES[0] + bytes(4)
    for number in range(20_000, 0, -1):
        overlaps.add(IdRun(id_behind(first, number), 1), number, number)
    largest = max(
        len(entries) for blocks in overlaps._by_prefix[PREFIXES[0]].values() for entries in blocks.values()
    )
    assert largest <= 4_096
    assert len(list(overlaps.over(IdRun(first, 2**31)))) == 20_000
