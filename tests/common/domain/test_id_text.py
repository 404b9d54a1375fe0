"""Ids as people write them."""

from __future__ import annotations

import pytest
from tq.common.domain.id_text import (
    IdRange,
    IdText,
    check_tail,
    digits_to_tell,
    ids_that_begin,
    next_with_tail,
    read_id_text,
    show_short,
)
from tq.common.domain.ids import parse_id
from tq.common.errors import InvalidArgument

WHOLE = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"
DIGITS = WHOLE.replace("-", "")
ID = parse_id(WHOLE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE, IdText(DIGITS)),
        (WHOLE.upper(), IdText(DIGITS)),
        (f" {WHOLE}\n", IdText(DIGITS)),
        (f"{{{WHOLE}}}", IdText(DIGITS)),
        (f"urn:uuid:{WHOLE}", IdText(DIGITS)),
        ("0193", IdText("0193")),
        ("019300a1-7c3e", IdText("019300a17c3e")),
        ("019300a17c3e..3C2B", IdText("019300a17c3e", "3c2b")),
        (f"{WHOLE}+5", IdText(DIGITS, "", 5, 6)),
        ("0193+0..199999", IdText("0193", "", 0, 200_000)),
        ("0193..2b+1", IdText("0193", "2b", 1, 2)),
    ],
)
def test_what_is_written_is_read(text: str, said: IdText) -> None:
    assert read_id_text(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "019",
        "x193",
        "0193+",
        "0193+-1",
        "0193+5..4",
        "0193+4294967296",
        "0193..",
        DIGITS + "0",
        f"{DIGITS}..b",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        read_id_text(text)


def test_what_a_range_prints_is_read_again() -> None:
    ids = IdRange(ID, 200_000)
    assert str(ids) == f"{WHOLE}+0..199999"
    said = read_id_text(str(ids))
    assert (said.id, said.start, said.stop) == (ID, 0, 200_000)
    assert str(IdRange(ID, 1)) == WHOLE
    assert ids.id(5) == parse_id("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c30")


def test_a_short_id_has_the_dashes_of_the_whole_one() -> None:
    assert [show_short(ID, digits) for digits in (8, 9, 12, 13, 32)] == [
        "019300a1",
        "019300a1-7",
        "019300a1-7c3e",
        "019300a1-7c3e-7",
        WHOLE,
    ]
    assert show_short(ID, 12, 4) == "019300a1-7c3e..3c2b"


@pytest.mark.parametrize(
    ("other", "digits"),
    [("029300a1", 2), ("019300a1-7c3f", 12), ("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2a", 32)],
)
def test_it_is_known_how_many_digits_tell_an_id_from_another(other: str, digits: int) -> None:
    theirs = int(other.replace("-", "").ljust(32, "0"), 16)
    assert digits_to_tell(int(DIGITS, 16), theirs) == digits
    assert digits_to_tell(theirs, int(DIGITS, 16)) == digits
    assert f"{theirs:032x}"[:digits] != DIGITS[:digits]
    assert f"{theirs:032x}"[: digits - 1] == DIGITS[: digits - 1]


def test_the_ids_of_a_beginning_are_all_between_two() -> None:
    low, high = ids_that_begin("0193")
    assert (low.hex(), high.hex()) == ("0193" + "0" * 28, "0193" + "f" * 28)


def test_the_next_id_with_an_end_is_computed() -> None:
    assert next_with_tail(0x1234, "34") == 0x1234
    assert next_with_tail(0x1235, "34") == 0x1334
    assert next_with_tail(0x1235, "") == 0x1235


@pytest.mark.parametrize("tail", ["x", "0" * 13, "A", " 1"])
def test_an_end_from_the_wire_is_validated(tail: str) -> None:
    with pytest.raises(InvalidArgument):
        check_tail(tail)
