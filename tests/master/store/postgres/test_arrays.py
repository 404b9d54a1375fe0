"""Columns as arrays: the server reads back what was written."""

from __future__ import annotations

import pytest

from tests.postgres import PostgresServer

KINDS = {
    "bigint": [0, 1, -1, 2**63 - 1, -(2**63)],
    "bytea": [b"", b"\x00\xff", b"x" * 100_000],
    "text": ["", "ä 任务 \U0001f600", "a'b\"c\\d"],
    "double precision": [0.0, -1.5, 1e300, float("inf")],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_null", [False, True])
def test_the_server_reads_what_was_written(postgres: PostgresServer, kind: str, with_null: bool) -> None:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.arrays import ARRAY_OIDS, array
    from tq.master.store.postgres.line import PostgresLine, Statement

    values = [*KINDS[kind], *([None] if with_null else [])]
    line = PostgresLine(read_address(postgres.url()), 10)
    try:
        [result] = line.run(
            [
                Statement(
                    b"SELECT $1 = $2", [array(kind, values), array(kind, values)], [ARRAY_OIDS[kind]] * 2
                )
            ],
            10,
        )
        assert result.get_value(0, 0) == b"\x01"
        line.run([Statement(f"CREATE TEMP TABLE written (v {kind})".encode())], 10)
        line.run(
            [
                Statement(
                    b"INSERT INTO written SELECT * FROM unnest($1)", [array(kind, values)], [ARRAY_OIDS[kind]]
                )
            ],
            10,
        )
        assert [row[0] for row in line.connection.execute("SELECT v FROM written")] == values
    finally:
        line.close()


@pytest.mark.parametrize("text", ["", "plain", "a\0b", "\x1a", "\x1a0", "\0\x1a\x1a1\0", "\x1a\0"])
def test_a_text_with_nul_comes_back_as_it_was(text: str) -> None:
    from tq.master.store.postgres.arrays import escaped, unescaped

    assert "\0" not in escaped(text)
    assert unescaped(escaped(text)) == text


@pytest.mark.parametrize(
    "value", [b"", b"x", 0, -1, 2**63 - 1, -(2**63), b"\x1atq:", b"\x1atq:n1", b"\x1atq:b", b"\x1atq"]
)
def test_a_number_among_bytes_comes_back_as_it_was(value: bytes | int) -> None:
    from tq.master.store.postgres.arrays import as_bytes, from_bytes

    read = from_bytes(as_bytes(value))
    assert (read, type(read)) == (value, type(value))


def test_texts_that_differ_differ_when_they_are_escaped() -> None:
    from tq.master.store.postgres.arrays import escaped

    texts = ["\0", "\x1a0", "\x1a1", "\x1a", "0", "\x1a10"]
    assert len({escaped(text) for text in texts}) == len(texts)
