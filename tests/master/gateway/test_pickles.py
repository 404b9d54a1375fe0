"""The gateway's reader and writer of pickles: as ``pickle`` for plain data, and nothing else ever happens."""

from __future__ import annotations

import datetime
import pickle
import random
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.codec import encode
from tq.common.errors import DecodeError
from tq.master.gateway.decoder import DEPTH_MAX, loads
from tq.master.gateway.writer import dumps, raising, read_item, returning

from ...fuzz.mutation import damage

KEYS = st.integers(-(2**63), 2**63) | st.text(max_size=5) | st.binary(max_size=5)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    ATOMS | st.frozensets(KEYS, max_size=3) | st.sets(KEYS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES, st.integers(2, 5))
def test_what_a_stock_client_pickles_is_read_as_it_is_or_refused_as_shared(value: Any, protocol: int) -> None:
    read, refused = read_or_refused(pickle.dumps(value, protocol))
    if refused:  # sets are built by calls in old protocols, and what stands twice is shared
        assert "twice" in refused or protocol < 4
    else:
        assert read == value
        assert type(read) is type(value)


def read_or_refused(data: bytes) -> tuple[Any, str]:
    try:
        return loads(data), ""
    except DecodeError as error:
        return None, str(error)


@given(VALUES)
def test_what_is_written_is_read_by_pickle(value: Any) -> None:
    assert pickle.loads(dumps(value)) == value  # noqa: S301 - our own


@pytest.mark.parametrize("name", ["Empty", "Full", "ValueError", "TypeError"])
def test_an_error_is_of_the_class_a_stock_client_expects(name: str) -> None:
    kind, error = pickle.loads(raising(name, "why"))  # noqa: S301 - our own
    assert (kind, type(error).__name__, error.args) == ("#ERROR", name, ("why",))


class Evil:
    def __reduce__(self) -> Any:
        return print, ("imported and called",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04.",
        pickle.dumps(Evil()),
        pickle.dumps(Evil(), 2),
        pickle.dumps(datetime.date(2026, 1, 2)),
        pickle.dumps([1] * 3)[:-1],
        b"\x80\x04\x96" + b"\xff" * 8,  # nine bytes that ask for all memory
        b"\x80\x04r\xff\xff\xff\x7f.",
        b"\x80\x04" + b"]" * 100_000 + b"a" * 100_000 + b".",
        b"\x80\x04" + b"(" * 400_000 + b"t" * 400_000,
        b"\x80\x04]\x94h\x00a.",  # a list in itself
        b"cos\nsystem\n(S'true'\ntR.",
    ],
)
def test_everything_else_is_refused(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DecodeError):
        loads(data)
    assert capsys.readouterr().out == ""


def test_a_value_is_as_deep_as_the_limit_and_no_deeper() -> None:
    value: Any = []
    for _ in range(DEPTH_MAX):
        value = [value]
    assert loads(pickle.dumps(value)) == value
    with pytest.raises(DecodeError, match="nested deeper"):
        loads(pickle.dumps([value]))


def test_damaged_requests_are_refused_and_import_nothing() -> None:
    dice = random.Random(1)  # noqa: S311 - the same cases every time
    requests = [
        pickle.dumps(("1/q", "put", (value,), {"timeout": 1}), protocol)
        for protocol in (2, 3, 4, 5)
        for value in (1, "text", b"bytes", [1, (2, {3})], {"a": [None]}, 2**70)
    ]
    before = set(sys.modules)
    for _ in range(20_000):
        try:
            loads(damage(dice.choice(requests), dice))
        except DecodeError:
            continue
    assert set(sys.modules) == before


def test_an_item_that_stock_clients_cannot_have_is_named() -> None:
    assert read_item(encode([1, (2, {3}), 2**80])) == [1, (2, {3}), 2**80]
    with pytest.raises(DecodeError, match="has a date in it"):
        returning(encode([datetime.date(2026, 1, 2)]))
