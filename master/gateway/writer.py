"""Replies as stock clients read them: pickles of protocol 4, written from plain data and a few templates.

What the codec knows beyond plain data is written as a call of the standard library's own name for it, which every
client from 3.8 on has: ``datetime.date``, ``decimal.Decimal``, ``uuid.UUID``, ``pathlib.Path`` and their like. No name
comes from an item: an enum and what numpy makes are plain tuples here, for the class of an enum would have to be
imported by the client because an item says so. So whatever a program of tq puts, a stock client can take.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID

import msgpack

from ...common.errors import DecodeError
from ...common.values import (
    ARRAY,
    BIG_INT,
    BLOB,
    DATE,
    DATETIME,
    DECIMAL,
    DEPTH_MAX,
    ENUM,
    FROZENSET,
    PAIRS,
    PATH,
    SCALAR,
    SET,
    TIME,
    TIMEDELTA,
    TUPLE,
    UUID_,
    decode_ext,
)

RETURN, ERROR = "#RETURN", "#ERROR"
TRACEBACK, UNSERIALIZABLE = "#TRACEBACK", "#UNSERIALIZABLE"
EXCEPTIONS: Final = {  # in every stock client; queue.Empty is _queue.Empty where that is
    "Empty": "queue",
    "Full": "queue",
    "ValueError": "builtins",
    "TypeError": "builtins",
}
_MADE: Final = frozenset({DATETIME, DATE, TIME, TIMEDELTA, DECIMAL, UUID_, PATH})  # by templates
_CONTAINERS: Final[dict[int, type]] = {TUPLE: tuple, SET: set, FROZENSET: frozenset}
# numpy's numbers, as .item() gives them: kind and size of a dtype, and struct's letter for it
_NUMBERS: Final = {
    "b1": "?",
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


def dumps(value: Any) -> bytes:
    """A pickle of plain data. Raises DecodeError, naming the type, for anything else."""
    return b"\x80\x04" + _written(value, 0) + b"."


def reply(kind: str, value: Any) -> bytes:
    """``(kind, value)`` as a frame's content."""
    return dumps((kind, value))


def raising(name: str, *args: str) -> bytes:
    """The reply that makes a stock client raise one of ``EXCEPTIONS``, or ShutDown."""
    kind = _SHUT_DOWN if name == "ShutDown" else _global(EXCEPTIONS[name], name)
    made = kind + _written(args, 0) + b"R"
    return b"\x80\x04" + _text(ERROR) + made + b"\x86."


def returning(payload: bytes) -> bytes:
    """The reply that carries an item. Raises DecodeError for one that stock clients cannot have."""
    return reply(RETURN, read_item(payload))


def read_item(payload: bytes) -> Any:
    """An item's value from the codec's bytes, as a stock client is to have it. Nothing is imported for it."""
    return _unpack(payload, 0)


def _unpack(data: bytes, depth: int) -> Any:
    if depth > DEPTH_MAX:
        raise DecodeError(f"values nested deeper than {DEPTH_MAX}")

    def extended(code: int, body: bytes) -> Any:
        if code == BIG_INT:
            return int.from_bytes(body, "big", signed=True)
        if code in _CONTAINERS:
            return _CONTAINERS[code](_unpack(body, depth + 1))
        if code == PAIRS:
            parts = _unpack(body, depth + 1)
            return dict(zip(parts[::2], parts[1::2], strict=True))
        if code in _MADE:
            return _without_zone_file(decode_ext(code, body))
        if code in _STAND_INS:
            return _STAND_INS[code](*_unpack(body, depth + 1))
        what = "tq.Blob" if code == BLOB else "value of a newer version"
        raise DecodeError(
            f"the next item has a {what} in it, which clients of the standard library cannot have from here; "
            "take it with tq.managers"
        )

    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=extended)
    except _NO_VALUE as error:
        raise DecodeError(f"the next item cannot be read here: {error or type(error).__name__}") from None


def _without_zone_file(value: Any) -> Any:
    """The same instant at a fixed offset that bears the zone's name: 3.8 has no zoneinfo, other hosts no zone files."""
    zone = getattr(value, "tzinfo", None)
    if zone is None or type(zone) is datetime.timezone:
        return value
    offset = value.utcoffset()
    return value.replace(tzinfo=None if offset is None else datetime.timezone(offset, str(zone)))


def _numpy_scalar(dtype: Any, data: Any) -> Any:
    letter = _NUMBERS.get(dtype[1:])
    if letter is None:
        return dtype, (), data
    return struct.unpack((">" if dtype[0] == ">" else "<") + letter, data)[0]


def _written(value: Any, depth: int) -> bytes:
    if depth > 2 * DEPTH_MAX:
        raise DecodeError(f"values nested deeper than {DEPTH_MAX}")
    kind: type = type(value)
    if value is None:
        return b"N"
    if kind is bool:
        return b"\x88" if value else b"\x89"
    if kind is int:
        return _int(value)
    if kind is float:
        return b"G" + struct.pack(">d", value)
    if kind is str:
        return _text(value)
    if kind is bytes:
        return b"".join((b"B", struct.pack("<I", len(value)), value))
    if kind is dict:
        inner = [_written(one, depth + 1) for pair in value.items() for one in pair]
        return b"}(" + b"".join(inner) + b"u"
    template = _TEMPLATES.get(kind)
    if template is not None:
        module, name, arguments = template
        return _call(_global(module, name), *(_written(one, depth + 1) for one in arguments(value)))
    if kind not in (list, tuple, set, frozenset):
        raise DecodeError(f"a {kind.__name__} is not plain data")
    members: bytes = b"(" + b"".join([_written(one, depth + 1) for one in value])
    if kind is list:
        return b"]" + members + b"e"
    if kind is set:
        return b"\x8f" + members + b"\x90"
    return members + (b"t" if kind is tuple else b"\x91")


def _int(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    body = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return (
        b"\x8a" + bytes([len(body)]) + body
        if len(body) < 256
        else b"\x8b" + struct.pack("<i", len(body)) + body
    )


def _text(value: str) -> bytes:
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def _global(module: str, name: str) -> bytes:
    return _text(module) + _text(name) + b"\x93"


def _call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


# queue.ShutDown where the client's Python has it, from 3.13 on: getattr(import_module("queue"), "ShutDown", ValueError)
_SHUT_DOWN: Final = _call(
    _global("builtins", "getattr"),
    _call(_global("importlib", "import_module"), _text("queue")),
    _text("ShutDown"),
    _global("builtins", "ValueError"),
)

_NO_VALUE: Final = (  # what the constructors of values raise, and msgpack
    ArithmeticError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
    msgpack.UnpackException,
)
_Arguments = Callable[[Any], tuple[Any, ...]]


def _as_text(value: Any) -> tuple[Any, ...]:
    return (str(value),)


def _as_pickled(value: Any) -> tuple[Any, ...]:
    """The arguments pickle gives it: the fields in a few bytes, and the zone."""
    arguments: tuple[Any, ...] = value.__reduce_ex__(4)[1]
    return arguments


_PATH: Final[tuple[str, str, _Arguments]] = ("pathlib", "Path", _as_text)  # of the client's own kind
_TEMPLATES: Final[dict[type, tuple[str, str, _Arguments]]] = {
    datetime.datetime: ("datetime", "datetime", _as_pickled),
    datetime.date: ("datetime", "date", _as_pickled),
    datetime.time: ("datetime", "time", _as_pickled),
    datetime.timedelta: ("datetime", "timedelta", _as_pickled),
    datetime.timezone: ("datetime", "timezone", lambda value: value.__getinitargs__()),
    Decimal: ("decimal", "Decimal", _as_text),
    UUID: ("uuid", "UUID", lambda value: (value.hex,)),
    PosixPath: _PATH,
    WindowsPath: _PATH,
    PurePosixPath: ("pathlib", "PurePosixPath", _as_text),
    PureWindowsPath: ("pathlib", "PureWindowsPath", _as_text),
}
_STAND_INS: Final[dict[int, Callable[..., Any]]] = {
    ENUM: lambda name, member: (name, member),
    ARRAY: lambda dtype, shape, data: (dtype, tuple(shape), data),
    SCALAR: _numpy_scalar,
}
