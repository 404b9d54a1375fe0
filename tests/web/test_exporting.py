"""Tables as files: text from outside is a cell, and nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json

import pytest
from tq.web.exporting import as_csv, as_document


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_what_begins_as_a_formula_is_text_in_a_spreadsheet(text: str) -> None:
    _, [cell] = csv.reader(io.StringIO(as_csv([{"name": text}])))
    assert cell.startswith("'")


def test_numbers_stay_numbers_and_what_a_row_does_not_have_is_empty() -> None:
    rows = list(csv.reader(io.StringIO(as_csv([{"a": -3, "b": 1.5}, {"c": None}]))))
    assert rows == [["a", "b", "c"], ["-3", "1.5", ""], ["", "", ""]]


def test_lines_quotes_and_commas_are_one_cell() -> None:
    [_, [cell]] = csv.reader(io.StringIO(as_csv([{"error": 'one,"two"\nthree'}])))
    assert cell == 'one,"two"\nthree'


def test_both_files_are_free_of_what_steers_a_terminal() -> None:
    row = {"name": "\x1b[2J\u202egnp", "tags": {"a": "\x07"}, "queues": ["\x9b"], "id": b"\x01"}
    for text in (as_csv([row]), as_document([row])):
        assert not {"\x1b", "\u202e", "\x07", "\x9b"} & set(text)
    assert json.loads(as_document([row]))[0]["name"] == "\x1b[2J\u202egnp"


def test_what_has_maps_or_lists_in_it_is_json_in_its_cell() -> None:
    rows = [{"holders": [{"node": "a", "seconds": 5.0}], "tags": {"a": "b"}, "queues": ["mail", "img"]}]
    [_, [nested, *plain]] = csv.reader(io.StringIO(as_csv(rows)))
    assert json.loads(nested) == rows[0]["holders"]
    assert plain == ["a=b", "mail img"]


def test_an_empty_table_is_an_empty_file() -> None:
    assert as_csv([]).strip() == ""
    assert json.loads(as_document([])) == []
