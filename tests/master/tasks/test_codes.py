"""Numbers of many tasks: as they were given, whether a byte is enough for each or not."""

from __future__ import annotations

from array import array
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tq.master.tasks.codes import BYTE, codes_of, counted, packed_codes, unpacked_codes

DIFFERENT = st.sampled_from([1, 2, 10, 49, 50, 51, BYTE - 1, BYTE, BYTE + 1, 1_000, 10_000])


@given(DIFFERENT, st.data())
def test_numbers_are_kept_as_two_bytes_each_and_come_back(different: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, different - 1), min_size=1, max_size=300))
    codes = codes_of(numbers, different)
    assert list(codes) == numbers
    assert isinstance(codes, bytes) == (different <= BYTE)
    kept = packed_codes(codes)
    assert kept == array("H", numbers).tobytes(), "as every version has written them"
    assert list(unpacked_codes(kept, different)) == numbers


@given(DIFFERENT, st.data())
def test_they_are_counted_from_one_place_to_another(different: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, different - 1), min_size=1, max_size=300))
    start = data.draw(st.integers(0, len(numbers)))
    stop = data.draw(st.integers(start, len(numbers)))
    codes = codes_of(numbers, different)
    assert counted(codes, different, start, stop) == Counter(numbers[start:stop])
