"""Values go out and come back exactly, or are refused where they stand; hostile bytes are only ever refused."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import os
import pathlib
import random
import sys
import threading
import types
import uuid
import zoneinfo
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values.codec import decode, decode_call, encode, encode_call, encode_chunk
from tq.common.values.depth import DEPTH_MAX
from tq.common.values.extension_types import TUPLE

from ...properties import examples

UTC = datetime.UTC


class Colour(enum.Enum):
    RED = 1
    GREEN = "g"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Thing:
    size: int


text = st.text(st.characters(exclude_categories=["Cs"]))
offsets = st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))
zones = st.none() | st.just(UTC) | st.builds(datetime.timezone, offsets)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | text
    | st.binary()
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.sampled_from([Colour.RED, Colour.GREEN, Access.READ | Access.WRITE])
    | text.map(pathlib.PurePosixPath)
)
hashables = st.integers() | text | st.binary() | st.tuples(st.integers(), text)
keys = hashables | scalars | st.frozensets(hashables)
values = st.recursive(
    scalars | st.sets(hashables) | st.frozensets(hashables),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down: 1, 1.0 and True are three values."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left), list(right)) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (datetime.datetime, datetime.time)):
        return left == right and left.tzinfo == right.tzinfo and left.fold == right.fold
    return bool(left == right)


@given(values)
def test_every_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    assert same(decode(encode(value)), value)


@examples(40)
@given(st.lists(values, max_size=4), st.dictionaries(text, values, max_size=3))
def test_the_arguments_of_a_call_come_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    got_args, got_kwargs = decode_call(encode_call(tuple(args), kwargs))
    assert same(got_args, args)
    assert same(got_kwargs, kwargs)


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, -0.0, 5e-324, 2**64, -(2**63) - 1, 2**2000, True, 1, 1.0]
)
def test_numbers_keep_their_bits(value: Any) -> None:
    got = decode(encode(value))
    assert (type(got), repr(got)) == (type(value), repr(value))


def test_not_a_number_stays_what_it_is() -> None:
    assert math.isnan(decode(encode(math.nan)))
    assert decode(encode(decimal.Decimal("NaN"))).is_nan()


def test_a_time_keeps_its_zone_and_its_fold() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    moment = datetime.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin)
    got = decode(encode(moment))
    assert (got, got.fold, got.tzinfo.key) == (moment, 1, "Europe/Berlin")
    named = datetime.timezone(datetime.timedelta(hours=1), "CET")
    assert decode(encode(moment.replace(tzinfo=named))).tzname() == "CET"


def test_a_path_comes_back_as_a_path_of_its_kind() -> None:
    for path in (pathlib.Path("a/b"), pathlib.PurePosixPath("/x"), pathlib.PureWindowsPath("c:\\x")):
        assert same(decode(encode(path)), path)


def test_numpy_arrays_and_scalars_keep_dtype_and_shape() -> None:
    numpy = pytest.importorskip("numpy")
    for array in (
        numpy.arange(6, dtype="<i2").reshape(2, 3),
        numpy.zeros((0, 3)),
        numpy.array(1.5),
        numpy.array(["a"]),
    ):
        got = decode(encode([array]))[0]
        assert got.dtype == array.dtype
        assert got.shape == array.shape
        assert (got == array).all()
        got[...] = got  # writable, as one's own
    scalar = decode(encode(numpy.float32(1.5)))
    assert (type(scalar), scalar) == (numpy.float32, 1.5)
    with pytest.raises(NotSerializable, match="dtype object"):
        encode(numpy.array([object()]))


class Mine:
    """A class of the user's."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"when": [Thing(1)]},
            r"argument items\.when\[0\]: a Thing cannot be sent; send dataclasses\.asdict",
        ),
        (({Thing: 2},), r"argument items\[0\]\[key <class .*: a type cannot be sent; send its name"),
        ([{(1, len): 1}], r"argument items\[0\]\[key \(1, <built-in .*\]\[1\]: a builtin_function"),
        ([{(1, 2): len}], r"argument items\[0\]\[\(1, 2\)\]: a builtin_function"),
        (Mine(), "argument items: a Mine cannot be sent; send a dict of its fields"),
        (object(), "argument items: an object cannot be sent; it belongs to this process: send what it was"),
        (threading.Lock(), "a lock cannot be sent; send its name, and use a tq.Lock of that name"),
        (threading.Condition(), "use a tq.Lock of that name"),
        (sys.stdout, r"send its path as a pathlib\.Path if both hosts have the file, else .* as a tq\.Blob"),
        (futures.Future(), r"send what its result\(\) gives"),
        (types.SimpleNamespace(a=1), r"send vars\(value\)"),
        (threading.local(), "it belongs to this process"),
        (bytearray(b"x"), r"send bytes\(value\)"),
        (lambda: 1, "send its name"),
        ("\ud800", "lone surrogates"),
        ([{"k\ud800": 1}], "lone surrogates"),
        (type("MyText", (str,), {})("x"), r"send str\(value\)"),
        ((number for number in [1]), r"send list\(value\)"),
        (open, "send its name"),
    ],
)
def test_what_cannot_travel_is_refused_with_its_path_and_a_remedy(value: Any, message: str) -> None:
    with pytest.raises(NotSerializable, match=message):
        encode_call((value,), {}, ["items"])


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(NotSerializable, match="nested deeper"):
        encode(loop)


def test_nesting_is_accepted_up_to_the_limit_and_not_beyond() -> None:
    def nested(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = (value,)
        return value

    assert same(decode(encode(nested(DEPTH_MAX))), nested(DEPTH_MAX))
    with pytest.raises(NotSerializable):
        encode(nested(DEPTH_MAX + 1))


def test_an_enum_that_was_not_imported_here_is_not_imported_for_the_sender() -> None:
    data = encode(Colour.RED).replace(b"test_codec", b"no_such_mo")
    with pytest.raises(DecodeError, match=r"import .* first"):
        decode(data)


def ext(code: int, body: bytes) -> bytes:
    return bytes(msgpack.packb(msgpack.ExtType(code, body)))


def bomb(depth: int) -> bytes:
    body = b"\xc0"
    for _ in range(depth):
        body = ext(TUPLE, b"\x91" + body)
    return body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x01\x02",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x81\x90\x01",
        bomb(DEPTH_MAX + 1),
        ext(77, b""),
        ext(TUPLE, b"\x01"),
        ext(3, b"\x91\x90"),
        ext(5, b"\x90"),
        ext(5, b"\x99\xff\x01\x01\x00\x00\x00\x00\x00\xc0"),
        ext(9, b"abc"),
        ext(10, b"short"),
        ext(11, msgpack.packb(["Path"])),
        ext(12, msgpack.packb(["os:system", "x"])),
        ext(13, msgpack.packb(["|O", [1], b"12345678"])),
        ext(13, msgpack.packb(["<i8", [2**40], b"12345678"])),
        ext(14, msgpack.packb(["no dtype", b""])),
    ],
)
def test_hostile_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


@given(st.binary(max_size=200))
def test_random_bytes_decode_to_a_value_or_are_refused(data: bytes) -> None:
    try:
        decode(data)
    except DecodeError:
        return


@examples(100)
@given(values, st.randoms(use_true_random=False))
def test_damaged_bytes_decode_to_a_value_or_are_refused(value: Any, chance: random.Random) -> None:
    data = bytearray(encode(value))
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        decode(bytes(data))
    except DecodeError:
        return


def test_what_is_not_the_arguments_of_a_call_is_refused() -> None:
    for value in (1, [], [[], {}, 1], [{}, []], [[], {1: 2}]):
        with pytest.raises(DecodeError):
            decode_call(encode(value))


def test_a_uuid_and_a_decimal_come_back_exactly() -> None:
    for value in (uuid.uuid4(), decimal.Decimal("1.500"), decimal.Decimal("-Infinity")):
        assert repr(decode(encode(value))) == repr(value)


def test_a_zone_that_is_none_of_the_ianas_is_refused_where_it_is_sent() -> None:
    with Path(zoneinfo.TZPATH[0], "UTC").open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file, key="my zone")
    with pytest.raises(NotSerializable, match=r"value: a time in a ZoneInfo cannot be sent"):
        encode(datetime.datetime(2026, 1, 1, tzinfo=zone))


@pytest.mark.parametrize(
    "key",
    ["Europe", "x" * 4096, "../etc/passwd", "Europe/../Europe/Berlin", "/etc/localtime", "", "a" * 65, "é"],
)
def test_a_zone_is_never_looked_for_where_none_can_be(key: str) -> None:
    """``ZoneInfo`` raises what the system does for such a file: IsADirectoryError, OSError, PermissionError."""
    for code, fields in ((5, [1, 2, 3, 4, 5, 6, 7, 0, key]), (7, [1, 2, 3, 4, 0, key])):
        with pytest.raises(DecodeError, match="time zone"):
            decode(ext(code, msgpack.packb(fields)))


DTYPES = [
    *(
        "(((",
        "f8,f8",
        "<M8[ns",
        "i4,(2)",
        "|O",
        "object",
        "U",
        "<M8[0s]",
        "m8[99999999999999999s]",
        "<f3",
        "int",
    ),
    *(
        "{'a': 1}",
        "float64",
        "|T16",
        "<i4\x00",
        "f8" * 1000,
        "datetime64[s]",
        "i4",
        "=i4",
        "<M8[2Y/3]",
        "|S-1",
    ),
    *("<i4,", "[('a', '<i4')]", "b1" * 10_000),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=range(len(DTYPES)))
def test_a_dtype_that_is_no_plain_ones_name_never_reaches_numpy(dtype: str) -> None:
    """Its parser of such texts raises SyntaxError and SystemError, and makes scalars that cannot be shown."""
    for code, body in ((13, [dtype, [1], b"12345678"]), (14, [dtype, b"12345678"]), (14, [dtype, b""])):
        with pytest.raises(DecodeError, match="dtype"):
            decode(ext(code, msgpack.packb(body)))


def test_numpy_values_come_back_or_are_refused_where_they_are_sent() -> None:
    numpy = pytest.importorskip("numpy")
    for scalar in (
        *(numpy.str_(""), numpy.bytes_(b""), numpy.str_("x"), numpy.bool_(True), numpy.longdouble(1.5)),
        *(
            numpy.datetime64("2026-01-01"),
            numpy.datetime64("NaT", "D"),
            numpy.timedelta64(5, "ns"),
            numpy.void(b"ab"),
        ),
        *(numpy.complex64(1j), numpy.uint8(255), numpy.float16(0.5), numpy.zeros(1, "m8")[0]),
    ):
        got = decode(encode(scalar))
        assert (type(got), got.dtype, repr(got)) == (type(scalar), scalar.dtype, repr(scalar))
    for array in (
        *(numpy.zeros(2, "V8"), numpy.zeros(2, ">i4"), numpy.array(["2026"], dtype="M8[25s]")),
        *(numpy.zeros(3, "S0"), numpy.array([""]), numpy.zeros((2, 3)).T),
    ):
        got = decode(encode(array))
        assert (got.dtype, got.tolist()) == (array.dtype, array.tolist())


def test_whatever_reading_a_value_raises_is_a_decode_error() -> None:
    class Odd(enum.Enum):
        A = 1

        @classmethod
        def _missing_(cls, value: object) -> Any:
            raise OSError(value)

    class OddFlag(enum.Flag):
        A = 1

        @classmethod
        def _missing_(cls, value: object) -> Any:
            raise SystemError(value)

    globals().update(Odd=Odd, OddFlag=OddFlag)
    for kind in (Odd, OddFlag):
        kind.__qualname__ = kind.__name__
    for name, member in (("Odd", "B"), ("OddFlag", 2**40)):
        with pytest.raises(DecodeError):
            decode(ext(12, msgpack.packb([f"{__name__}:{name}", member])))


def test_whatever_looking_at_a_value_raises_means_that_it_cannot_be_sent() -> None:
    class Broken(enum.Enum):
        A = 1

        @property
        def name(self) -> str:  # type: ignore[override]
            raise ZeroDivisionError

    for send in (
        encode,
        lambda value: encode_call((value,), {}),
        lambda value: encode_chunk([value], star=False),
    ):
        with pytest.raises(NotSerializable, match="raises ZeroDivisionError when it is read") as caught:
            send([Broken.A])
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


ODD = os.fsdecode(b"scan-\xff.tif")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            [ODD],
            r"argument files\[0\]: text with lone surrogates cannot be sent; send the bytes instead: os.fsencode",
        ),
        ({"a": [pathlib.Path(ODD)]}, r"argument files\.a\[0\]: a Path with lone surrogates"),
        ([pathlib.PureWindowsPath(ODD)], r"argument files\[0\]: a PureWindowsPath with lone surrogates"),
        ({ODD: 1}, r"argument files: text with lone surrogates"),
        ({(ODD, 1): 1}, r"argument files\[key .*\]\[0\]: text with lone surrogates"),
        ({ODD}, r"argument files\[0\]: text with lone surrogates"),
        (
            [datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(0), ODD))],
            r"argument files\[0\]: the name of a time zone with lone surrogates",
        ),
        (
            datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(0), ODD)),
            "argument files: the name of a time zone",
        ),
        (enum.Enum("Functional", {ODD: 1})[ODD], "argument files: text with lone surrogates"),
    ],
    ids=["text", "path", "windows path", "key", "in a key", "member", "zone", "zone of a time", "enum"],
)
def test_half_a_character_is_refused_with_its_place_wherever_it_stands(value: Any, message: str) -> None:
    """As in the name of a file that is not UTF-8."""
    with pytest.raises(NotSerializable, match=message):
        encode_call((value,), {}, ["files"])


def test_half_a_character_in_a_keyword_is_refused_with_its_place() -> None:
    with pytest.raises(NotSerializable, match=r"the name of argument 'scan-\\udcff.tif': text with lone"):
        encode_call((), {ODD: 1})
    with pytest.raises(NotSerializable, match=r"item 7: a Path with lone surrogates"):
        encode_chunk([pathlib.Path(ODD)], star=False, first=7)


@pytest.mark.parametrize(
    "value",
    [
        {10**5_000: 1},
        [{10**5_000: (1, 10**5_000)}],
        [2**64, 1],
        [-(2**63) - 1],
        [2**64 - 1, -(2**63)],
        ["a", "ä"],
        [True, 1, 1.5, None, b""],
        [[1, 2], ["a"], [], [[]]],
    ],
    ids=["large key", "deep", "large", "small", "fits", "texts", "mixed", "nested"],
)
def test_lists_that_are_packed_at_a_glance_come_back_as_they_were(value: Any) -> None:
    back = decode(encode([value, (value,)]))
    assert back == [value, (value,)]
    assert [type(one) for one in back[0]] == [type(one) for one in value]


def test_the_path_to_a_bad_part_is_shown_whatever_the_keys_are() -> None:
    with pytest.raises(
        NotSerializable, match=r"value\[1\]\[<an int of 16,610 bits>\]\.when: a Thing cannot be sent"
    ):
        encode([1, {10**5_000: {"when": Thing(1)}}])
    with pytest.raises(NotSerializable, match=r"value\[key .*\]\[0\]: a type"):
        encode({(frozenset, 1): 1})
    with pytest.raises(NotSerializable, match=r"value\[0\]\[0\]\.k\[1\]: text with lone surrogates"):
        encode([[{"k": ["a", "\ud800"]}]])
