"""CSV as it comes out of databases and spreadsheets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli.mail.table import Row, read_table
from tq.common.errors import InvalidArgument

ROWS = [Row(2, ("Anne", "anne@tq.example")), Row(3, ("Bob", "bob@tq.example"))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_a_spreadsheet_saves_is_read(delimiter: str, end: str, encoding: str) -> None:
    text = f"name,email{end}Anne,anne@tq.example{end}Bob,bob@tq.example{end}".replace(",", delimiter)
    table = read_table(text.encode(encoding))
    assert (table.columns, table.rows, table.problems) == (("name", "email"), ROWS, [])


def test_rows_have_the_line_they_begin_in() -> None:
    table = read_table(b'name,email\n"An\nne",a@b.example\n\n,\nBob,b@b.example')
    assert table.rows == [Row(2, ("An\nne", "a@b.example")), Row(6, ("Bob", "b@b.example"))]


def test_damaged_rows_are_reported_and_hide_no_other() -> None:
    table = read_table(b'name,email\nAnne\nBob,b@b.example,x\n"Carl"s,c@b.example\nDora,d@b.example\n')
    assert [row.line for row in table.rows] == [5]
    assert [(one.line, one.text) for one in table.problems] == [
        (2, "it has 1 fields, the header has 2"),
        (3, "it has 3 fields, the header has 2"),
        (4, "it is not a CSV row: ',' expected after '\"'"),
    ]


def test_a_quote_that_is_never_closed_is_reported_where_it_opens() -> None:
    table = read_table(b'name,email\nAnne,a@b.example\n"Bob,b@b.example\nCarl,c@b.example\n')
    assert [one.line for one in table.problems] == [3]


def test_a_delimiter_may_be_given() -> None:
    assert read_table(b"a,b:c\n1,2:3\n", delimiter=":").columns == ("a,b", "c")


def test_another_encoding_may_be_given_and_is_asked_for() -> None:
    data = "name;email\nJürgen;j@b.example\n".encode("cp1252")
    with pytest.raises(InvalidArgument, match=r"line 2 is not UTF-8 \(byte 0xfc\).*--encoding cp1252"):
        read_table(data)
    assert read_table(data, encoding="cp1252").rows[0].fields[0] == "Jürgen"
    with pytest.raises(InvalidArgument, match="'nonsense' is unknown"):
        read_table(data, encoding="nonsense")


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "no header"), (b"\n\n", "no header"), (b"a,b,a\n", "'a' twice")]
)
def test_a_file_without_a_good_header_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        read_table(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    try:
        table = read_table(data)
    except InvalidArgument:
        return
    assert all(len(row.fields) == len(table.columns) for row in table.rows)
