"""A sequence of ids, kept as runs, is what the list of all of them would be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tq.client.tasks.id_runs import IdRuns
from tq.common.domain.id_runs import IdRun

BASES = st.integers(0, 5).map(lambda which: 0x0193A000_0000_7000_8000_0000_0000_0000 + (which << 32))
RUNS = st.lists(st.tuples(BASES, st.integers(0, 50), st.integers(1, 9)), max_size=8)


def built(runs: list[tuple[int, int, int]]) -> tuple[IdRuns, list[bytes]]:
    ids, expected = IdRuns(), list[bytes]()
    for base, place, count in runs:
        ids.append(base + place, count)
        expected += [(base + place + index).to_bytes(16, "big") for index in range(count)]
    return ids, expected


def each(runs: list[IdRun]) -> list[bytes]:
    return [id for run in runs for id in run.ids()]


@given(RUNS, st.integers(0, 80), st.integers(0, 80))
def test_it_has_the_ids_of_the_list(runs: list[tuple[int, int, int]], start: int, stop: int) -> None:
    ids, expected = built(runs)
    assert len(ids) == len(expected)
    assert [ids.id(index) for index in range(len(ids))] == expected
    assert each(ids.between(start, stop)) == expected[start:stop]


@given(RUNS, st.slices(72))
def test_a_choice_of_it_has_the_ids_of_that_slice_of_the_list(
    runs: list[tuple[int, int, int]], which: slice
) -> None:
    ids, expected = built(runs)
    chosen = ids.chosen(range(len(ids))[which])
    assert each(chosen.between(0, len(chosen))) == expected[which]


def test_ids_that_continue_the_last_run_are_part_of_it() -> None:
    ids = IdRuns()
    for start in range(0, 100_000, 1_000):
        ids.append((1 << 100) + start, 1_000)
    assert len(ids._firsts) == 16
