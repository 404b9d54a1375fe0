"""Rows travel as lists and are read by their fields' names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import tq
from tq.common.contract.rows import all_from_wire, from_wire, to_wire
from tq.common.contract.tasks import OutcomeRow, StateRow
from tq.common.contract.workers import GrantRow
from tq.common.errors import ProtocolError
from tq.common.wire.frames import pack, unpack

from ...house.syntax import nodes, parsed

# Lines of a table for people; what a child writes into its pipe; columns that SQLite gives back.
OTHER_ROWS = ("client/cli/mail/report.py", "worker/pools/process.py", "master/store/sqlite/")


def test_a_row_travels_as_the_list_of_its_fields() -> None:
    row = OutcomeRow(b"i" * 16, 10, None)
    assert to_wire(row) == [b"i" * 16, 10, None]
    assert unpack(pack(to_wire(row))) == [b"i" * 16, 10, None]
    assert from_wire(OutcomeRow, to_wire(row)) == row


def test_many_rows_come_out_in_their_order() -> None:
    rows = [[bytes([number]) * 16, 10, b"body"] for number in range(5)]
    assert [row.id for row in all_from_wire(OutcomeRow, rows)] == [row[0] for row in rows]
    assert all_from_wire(OutcomeRow, []) == []


def test_what_stands_behind_by_default_may_be_missing() -> None:
    assert from_wire(GrantRow, [b"i", 1, b"payload"]) == GrantRow(
        b"i", 1, b"payload", suspect=False, number=None
    )


@pytest.mark.parametrize("fields", [[], [b"i"], [b"i", 10, None], None, 7])
def test_a_row_of_another_form_is_refused(fields: object) -> None:
    with pytest.raises(ProtocolError, match="StateRow of an unknown form"):
        from_wire(StateRow, fields)


@pytest.mark.parametrize("rows", [[[b"i", 10], [b"j", 10, None]], [[b"i", 10], 7], 7])
def test_rows_of_another_form_are_refused_together(rows: object) -> None:
    with pytest.raises(ProtocolError, match="StateRow of an unknown form"):
        all_from_wire(StateRow, rows)  # type: ignore[arg-type]


def test_no_reader_counts_positions_in_rows() -> None:
    package = Path(tq.__file__).resolve().parent
    found = []
    for file in (file for room in ("client", "worker", "master") for file in (package / room).rglob("*.py")):
        name = file.relative_to(package).as_posix()
        for node in nodes(parsed(file.read_text("utf-8"))):
            match node:
                case ast.Subscript(
                    value=ast.Name(id="row" | "entry" | "report"), slice=ast.Constant(value=int())
                ):
                    found.append(f"{name}:{node.lineno}")
    assert not [place for place in found if not place.startswith(OTHER_ROWS)]
