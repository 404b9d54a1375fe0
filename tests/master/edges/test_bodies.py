"""What rows between shards say, as bytes."""

from __future__ import annotations

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.errors import ProtocolError
from tq.common.wire.frames import pack
from tq.master.edges.bodies import (
    EdgeKind,
    EndedSpan,
    follows,
    pack_ended,
    pack_number,
    pack_runs,
    unpack_queues,
    unpack_row,
)
from tq.master.store.interface.edges import EdgeRow, ElsewhereRow, before_epoch

ID = bytes(15) + b"\x05"
EPOCH = before_epoch(3)


@pytest.mark.parametrize("kind", [EdgeKind.NEED, EdgeKind.RELEASE, EdgeKind.AGAIN])
def test_runs_are_read_as_they_were_written(kind: EdgeKind) -> None:
    rows = [ElsewhereRow(b"", IdRun(ID, 3)), ElsewhereRow(pack(["shop*"]), IdRun(ID, 1))]
    assert unpack_row(EdgeRow(1, kind, pack_runs(rows))) == rows
    assert [unpack_queues(row.queues) for row in rows] == [(), ("shop*",)]


def test_ends_are_read_with_their_bodies_or_with_how_many_there_are() -> None:
    spans = [EndedSpan(ID, 10, "m:f", [b"one", None]), EndedSpan(ID, -1, "", 500)]
    read = unpack_row(EdgeRow(1, EdgeKind.ENDED, pack_ended(b"q", spans)))
    assert read == [(b"q", span) for span in spans]
    assert [(span.run.length, span.bytes) for span in spans] == [(2, 3), (500, 0)]


@pytest.mark.parametrize("kind", [EdgeKind.BEGIN, EdgeKind.RESET, EdgeKind.ALL])
def test_a_number_is_read_as_it_was_written(kind: EdgeKind) -> None:
    assert unpack_row(EdgeRow(1, kind, pack_number(7))) == [7]


@pytest.mark.parametrize(
    ("number", "kind", "said", "applied", "may"),
    [
        (6, EdgeKind.ALL, 0, 5, True),
        (7, EdgeKind.ALL, 0, 5, False),
        (5, EdgeKind.ALL, 0, 5, False),
        (EPOCH + 1, EdgeKind.BEGIN, 5, 5, True),
        (EPOCH + 1, EdgeKind.BEGIN, 4, 5, False),
        (EPOCH + 1, EdgeKind.RESET, 1, 5, True),
        (EPOCH + 2, EdgeKind.RESET, 1, 5, False),
        (EPOCH + 1, EdgeKind.ALL, 0, 5, False),
        (EPOCH + 1, EdgeKind.RESET, 1, EPOCH + 7, False),
    ],
)
def test_a_row_follows_the_one_before_it_or_begins_an_epoch_behind_it(
    number: int, kind: EdgeKind, said: int, applied: int, may: bool
) -> None:
    assert follows(EdgeRow(number, kind, pack_number(said)), applied) is may


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (99, pack([])),
        (EdgeKind.NEED, pack([[b"", ID]])),
        (EdgeKind.NEED, pack(7)),
        (EdgeKind.ENDED, pack([b""])),
        (EdgeKind.ENDED, pack([b"", [[ID, 10]]])),
        (EdgeKind.RESET, pack([])),
        (EdgeKind.RELEASE, b"\xc1"),
    ],
)
def test_what_this_version_does_not_know_is_refused_and_not_guessed(kind: int, body: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"row 8 of kind|not a msgpack value"):
        unpack_row(EdgeRow(8, kind, body))
