"""Ranges of ids behave as a dict of ids would, and are few."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.id_runs import IdRun
from tq.master.engine.id_ranges import BLOCK_IDS, IdRanges

PREFIXES = bytes(12), b"\xff" * 12


def run(prefix: int, start: int, count: int) -> IdRun:
    return IdRun(PREFIXES[prefix] + start.to_bytes(4, "big"), count)


STARTS = st.integers(0, 20) | st.integers(BLOCK_IDS - 20, BLOCK_IDS + 2)
RUNS = st.builds(
    run, st.integers(0, 1), STARTS, st.integers(1, 12) | st.integers(BLOCK_IDS - 9, 2 * BLOCK_IDS + 9)
)


@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "take"]), st.sampled_from("abc"), RUNS)))
def test_ranges_hold_what_a_dict_of_the_ids_would(steps: list[tuple[str, str, IdRun]]) -> None:
    ranges: IdRanges[frozenset[str]] = IdRanges()
    oracle: dict[bytes, frozenset[str]] = {}
    for what, value, some in steps:
        if what == "take":
            taken = {id: held for part, held in ranges.take(some) for id in part.ids()}
            assert taken == {id: oracle.pop(id) for id in some.ids() if id in oracle}
        elif what == "add":
            ranges.change(some, lambda held, value=value: (held or frozenset()) | {value})  # type: ignore[misc]
            oracle.update({id: oracle.get(id, frozenset()) | {value} for id in some.ids()})
        else:
            ranges.change(some, lambda held, value=value: (held or frozenset()) - {value} or None)  # type: ignore[misc]
            for id in some.ids():
                left = oracle.pop(id, frozenset()) - {value}
                if left:
                    oracle[id] = left
        assert {id: held for part, held in ranges.runs() for id in part.ids()} == oracle
        assert len(ranges) == len(oracle)
        assert all((id in ranges) == (id in oracle) for id in some.ids())


def test_neighbours_with_the_same_value_are_one_range() -> None:
    ranges: IdRanges[str] = IdRanges()
    for start in (30, 0, 20, 10):
        ranges.change(run(0, start, 10), lambda _: "a")
    assert list(ranges.runs()) == [(run(0, 0, 40), "a")]
    assert ranges.take(run(0, 5, 10)) == [(run(0, 5, 10), "a")]
    assert list(ranges.runs()) == [(run(0, 0, 5), "a"), (run(0, 15, 25), "a")]


def test_ids_at_the_end_of_their_block_are_held() -> None:
    ranges: IdRanges[str] = IdRanges()
    last = run(1, 2**32 - 5, 5)
    ranges.change(last, lambda _: "a")
    assert ranges.take(last) == [(last, "a")]
    assert len(ranges) == 0


def test_a_range_ends_with_its_block_so_that_no_choice_of_ids_makes_a_long_list() -> None:
    ranges: IdRanges[str] = IdRanges()
    ranges.change(run(0, BLOCK_IDS - 5, 10), lambda _: "a")
    assert list(ranges.runs()) == [(run(0, BLOCK_IDS - 5, 5), "a"), (run(0, BLOCK_IDS, 5), "a")]
    assert ranges.take(run(0, BLOCK_IDS - 1, 2)) == [
        (run(0, BLOCK_IDS - 1, 1), "a"),
        (run(0, BLOCK_IDS, 1), "a"),
    ]
    assert len(ranges) == 8
