"""Forms of input: what is an item, what is a mistake, and that it does not matter how the bytes were cut."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli.map.items import (
    RECORD_BYTES_MAX,
    CsvRows,
    InputFormat,
    Item,
    JsonLines,
    RecordSplitter,
    Texts,
)
from tq.common.errors import InvalidArgument

from ....properties import examples


def items(form: InputFormat, data: bytes, cuts: list[int] | None = None) -> list[Item]:
    splitter = RecordSplitter(form.separator)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or [])})
    records = [
        record for start, stop in itertools.pairwise(places) for record in splitter.feed(data[start:stop])
    ]
    records += splitter.end()
    found = [form.item(record, number) for number, record in enumerate(records, 1)]
    return [one for one in [*found, form.last()] if one is not None]


def arguments(form: InputFormat, data: bytes) -> list[Any]:
    return [item.error or item.kwargs or item.args for item in items(form, data)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\n\nb\n\n", ["a", "", "b", ""]),
        (b" a \n", [" a "]),
        ("ü\n€".encode(), ["ü", "€"]),
        (b"a\x00b\n", ["a\x00b"]),
    ],
)
def test_a_line_is_an_item_without_its_end(data: bytes, expected: list[str]) -> None:
    assert [item.args[0] for item in items(Texts(), data)] == expected


def test_items_that_end_with_a_zero_byte_may_have_line_breaks() -> None:
    assert [item.args[0] for item in items(Texts(b"\0"), b"a\nb\0c\r\n\0")] == ["a\nb", "c\r\n"]


def test_a_line_that_is_not_text_is_a_mistake_of_its_own() -> None:
    first, bad, last = items(Texts(), b"a\nb\xffc\nd\n")
    assert (first.error, last.error) == ("", "")
    assert (bad.number, bad.error) == (2, "it is not UTF-8: byte 0xff at position 2")


def test_file_names_need_not_be_text() -> None:
    [item] = items(Texts(bytes_allowed=True), b"b\xffc\n")
    assert item.args == ("b\udcffc",)
    assert not item.error


@given(st.binary(max_size=200), st.lists(st.integers(0, 1_000), max_size=8))
def test_it_does_not_matter_how_the_bytes_were_cut(data: bytes, cuts: list[int]) -> None:
    assert items(Texts(), data, cuts) == items(Texts(), data)


@given(
    st.lists(st.lists(st.text("a,\"\n\r 'ü", max_size=6), min_size=2, max_size=2), max_size=6),
    st.lists(st.integers(0, 99)),
)
def test_csv_is_read_as_it_was_written(rows: list[list[str]], cuts: list[int]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["x", "y"], *rows])
    found = items(CsvRows(as_dict=True), file.getvalue().encode(), cuts)
    assert [(item.error, item.args) for item in found] == [("", ({"x": x, "y": y},)) for x, y in rows]


def test_csv_rows_are_keywords_or_one_dict() -> None:
    data = b'\xef\xbb\xbfname,city\r\nAnna,"Ulm, \r\nDonau"\r\n\r\nBo,Koln\r\n'
    expected = [{"name": "Anna", "city": "Ulm, \r\nDonau"}, {"name": "Bo", "city": "Koln"}]
    assert [item.kwargs for item in items(CsvRows(as_dict=False), data)] == expected
    assert [item.args for item in items(CsvRows(as_dict=True), data)] == [(row,) for row in expected]


def test_csv_rows_that_are_wrong_do_not_harm_the_others() -> None:
    found = items(CsvRows(as_dict=False), b'a,b\n1\n1,2,3\n"x"y,2\n1,2\n\xff,2\n"open,2\n')
    assert [(item.number, bool(item.error)) for item in found] == [
        (2, True),
        (3, True),
        (4, True),
        (5, False),
        (6, True),
        (7, True),
    ]
    assert found[0].error == "it has 1 fields, the header has 2"
    assert "a quote is not closed" in found[-1].error


@pytest.mark.parametrize("header", [b"a,a\n", b"a,,b\n", b'a,"b\n', b"a,\xff\n"])
def test_a_wrong_header_ends_it_all(header: bytes) -> None:
    with pytest.raises(InvalidArgument, match="header"):
        items(CsvRows(as_dict=False), header)


def test_json_lines_are_one_argument_or_all_of_them() -> None:
    data = b'\xef\xbb\xbf1\n\n[1, "a"]\n {"k": null} \r\n'
    assert [item.args for item in items(JsonLines(star=False), data)] == [(1,), ([1, "a"],), ({"k": None},)]
    starred = items(JsonLines(star=True), data)
    assert [(item.number, item.args, item.kwargs) for item in starred] == [
        (1, (1,), {}),
        (3, (1, "a"), {}),
        (4, (), {"k": None}),
    ]


@pytest.mark.parametrize("line", [b"{", b"nonsense", b"\xff", b"[" * 100_000])
def test_a_line_that_is_not_json_is_a_mistake_of_its_own(line: bytes) -> None:
    found = items(JsonLines(star=False), line + b"\n1\n")
    assert [bool(item.error) for item in found] == [True, False]


@examples(50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5
    )
)
def test_any_json_value_arrives(value: Any) -> None:
    assert arguments(JsonLines(star=False), json.dumps(value).encode()) == [(value,)]


def test_an_endless_line_does_not_fill_the_memory() -> None:
    splitter = RecordSplitter(b"\n")
    for _ in range(RECORD_BYTES_MAX // 65_536):
        splitter.feed(b"x" * 65_536)
    with pytest.raises(InvalidArgument, match="longer than"):
        splitter.feed(b"x")
