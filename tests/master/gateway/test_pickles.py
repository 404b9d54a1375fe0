"""The gateway's reader and writer of pickles: as ``pickle`` for plain data, and nothing else ever happens."""

from __future__ import annotations

import datetime
import enum
import pickle
import random
import struct
import sys
import time
import tracemalloc
import zoneinfo
from decimal import Decimal
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType, packb
from tq.common.errors import DecodeError
from tq.common.values.codec import encode
from tq.common.values.extension_types import (
    BLOB,
    DATE,
    DATETIME,
    DECIMAL,
    FROZENSET,
    PAIRS,
    PATH,
    SCALAR,
    SET,
    TIME,
    TUPLE,
)
from tq.master.gateway import item_reader
from tq.master.gateway.decoder import _STEPS, DEPTH_MAX, loads
from tq.master.gateway.handshake import FRAME_BYTES_MAX
from tq.master.gateway.item_reader import VALUES_MAX, read_item
from tq.master.gateway.writer import dumps, raising, returning

from ...common.values.alike import alike
from ...fuzz.mutation import damage

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here

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


@pytest.mark.parametrize("code", sorted(_STEPS))
def test_a_frame_full_of_one_opcode_costs_a_bounded_amount_of_memory(code: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            loads(b"\x80\x04" + bytes([code]) * (FRAME_BYTES_MAX - 2))
        assert tracemalloc.get_traced_memory()[1] < 300 * FRAME_BYTES_MAX
    finally:
        tracemalloc.stop()


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


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
EAST = datetime.timezone(datetime.timedelta(hours=3), "east")


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2026, 1, 2),
        datetime.datetime(2026, 10, 25, 2, 30, fold=1),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=EAST),
        datetime.time(23, 59, 0, 1, tzinfo=datetime.UTC),
        datetime.timedelta(days=-1, microseconds=7),
        Decimal("1E+9"),
        UUID(int=7),
        Path("/srv/x"),
        PurePosixPath("a/b"),
        PureWindowsPath("c:\\x"),
    ],
)
def test_what_the_standard_library_has_a_name_for_comes_as_that(value: Any) -> None:
    assert pickle.loads(returning(encode(value))) == ("#RETURN", value)  # noqa: S301 - our own
    _, [[(inner,)]] = pickle.loads(returning(encode([[(value,)]])))  # noqa: S301
    assert (type(inner), repr(inner)) == (type(value), repr(value))


def test_a_time_in_a_named_zone_is_the_same_instant_at_a_fixed_offset() -> None:
    value = datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)
    _, read = pickle.loads(returning(encode(value)))  # noqa: S301 - our own
    assert (read.astimezone(datetime.UTC), read.tzname()) == (
        value.astimezone(datetime.UTC),
        "Europe/Berlin",
    )
    assert read.tzinfo == datetime.timezone(datetime.timedelta(hours=1), "Europe/Berlin")
    _, read = pickle.loads(returning(encode(datetime.time(2, 30, tzinfo=BERLIN))))  # noqa: S301
    assert read == datetime.time(2, 30)  # a zone's offset depends on the day


class Colour(enum.Enum):
    RED = 1


class Access(enum.Flag):
    READ, WRITE = 1, 2


def test_of_an_enum_a_stock_client_gets_the_names_and_imports_nothing() -> None:
    value = [Colour.RED, Access.READ | Access.WRITE, {Colour.RED}]
    colour = (f"{__name__}:Colour", "RED")
    assert pickle.loads(returning(encode(value)))[1] == [  # noqa: S301 - our own
        colour,
        (f"{__name__}:Access", 3),
        {colour},
    ]
    assert b"\x93" not in returning(encode(value))  # the opcode of a global


def test_numbers_of_numpy_are_numbers_and_arrays_can_be_made_again() -> None:
    numpy = pytest.importorskip("numpy")
    value = [numpy.float32(1.5), numpy.int64(-7), numpy.bool_(True), numpy.datetime64("2026-01-02")]
    half, seven, true, day = read_item(encode(value))
    assert (half, seven, true, type(true)) == (1.5, -7, True, bool)
    array = numpy.arange(6, dtype=">i2").reshape(2, 3)
    for made, (dtype, shape, data) in ((array, read_item(encode(array))), (value[3], day)):
        assert (numpy.frombuffer(data, dtype).reshape(shape) == made).all()


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (packb(ExtType(99, b"")), "has a value of a newer version in it"),
        (packb(ExtType(BLOB, b"x" * 40)), "has a tq.Blob in it"),
        (packb(ExtType(DATETIME, packb([2026, 13, 1, 0, 0, 0, 0, 0, None]))), "cannot be read here: month"),
        (packb(ExtType(DATE, packb([10**30 % 2**63, 1, 1]))), "cannot be read here"),
        (packb(ExtType(TIME, packb([1, 0, 0, 0, 0, "Mars/Olympus"]))), "zone Mars/Olympus is not known"),
        (packb(ExtType(DECIMAL, b"ten")), "cannot be read here"),
        (packb(ExtType(PATH, packb(["Registry", "x"]))), "cannot be read here"),
        (packb(ExtType(SCALAR, packb(["<f8", b"1234"]))), "cannot be read here: unpack"),
        (b"\xc1", "cannot be read here"),
    ],
)
def test_an_item_that_stock_clients_cannot_have_is_named(payload: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        returning(payload)


def test_plain_data_stays_what_it_is() -> None:
    value = [1, (2, {3}), 2**80, {"a": {1: b"x"}, b"k": frozenset({(4, "5")})}, []]
    assert pickle.loads(returning(encode(value))) == ("#RETURN", value)  # noqa: S301 - our own


# items that were made to do harm


def of_one_hash(count: int) -> list[ExtType]:
    return [ExtType(TUPLE, packb(pair)) for pair in islice(alike(), count)]


def test_what_was_made_to_have_one_hash_is_not_looked_up_here() -> None:
    began = time.thread_time()
    returning(packb(ExtType(SET, packb(of_one_hash(20_000)))))
    assert time.thread_time() - began < 2  # of 20,000 x 20,000 / 2 comparisons it would be six


FEWER = VALUES_MAX // 10  # the same proof with a tenth of the values, and of the memory


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd" + struct.pack(">I", FEWER + 1) + b"\x01" * (FEWER + 1),
        packb([[0] * 1_000] * (FEWER // 1_000)),
        packb([[]] * (FEWER // 2 + 1)),
        packb([{}] * (FEWER // 2 + 1)),
        packb([ExtType(TUPLE, b"\x90")] * (FEWER // 2 + 1)),
        packb([ExtType(DATE, packb([2026, 1, 2]))] * (FEWER // 10)),
    ],
    ids=["numbers", "lists of numbers", "lists", "maps", "tuples", "dates"],
)
def test_an_item_of_too_many_values_is_refused_before_they_fill_the_memory(
    payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_reader, "VALUES_MAX", FEWER)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="too many for clients of the standard library"):
            returning(payload)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


def test_an_item_of_as_many_values_as_may_be_is_written() -> None:
    assert returning(packb([0] * (VALUES_MAX - 1)))
    with pytest.raises(DecodeError, match="more than 1,000,000 values"):
        returning(packb([0] * (VALUES_MAX + 1)))


def test_a_long_text_is_one_value() -> None:
    value = ["x" * 2_000_000, b"y" * 2_000_000]
    assert pickle.loads(returning(encode(value))) == ("#RETURN", value)  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (ExtType(SET, packb([[1]])), "a member of a set that cannot be one"),
        (ExtType(SET, packb([ExtType(TUPLE, packb([{}]))])), "a member of a set that cannot be one"),
        (ExtType(FROZENSET, packb([ExtType(SET, b"\x90")])), "a member of a set that cannot be one"),
        (ExtType(TUPLE, packb("text")), "a list was expected"),
        (ExtType(TUPLE, packb({})), "a list was expected"),
        (ExtType(PATH, packb(["Path", "a/" * 2**16])), "a path of more than"),
        (ExtType(PATH, packb(["Path", 7])), "a path of more than"),
        (ExtType(DATE, packb([0] * 1_000)), "that is none"),
    ],
)
def test_an_item_that_no_program_of_tq_writes_is_refused(value: ExtType, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        returning(packb(value))


def test_the_keys_of_a_dict_may_be_of_any_kind_that_can_be_hashed() -> None:
    value = {(1, "a"): 1, None: 2, 1.5: {frozenset({7}): 3}, "k": 4}
    assert pickle.loads(returning(encode(value))) == ("#RETURN", value)  # noqa: S301 - our own
    with pytest.raises(DecodeError, match="a key or a member of a set that cannot be one"):
        returning(packb(ExtType(PAIRS, packb([[1], 2]))))
    with pytest.raises(DecodeError, match="cannot be read here"):
        returning(packb(ExtType(PAIRS, packb([1, 2, 3]))))
