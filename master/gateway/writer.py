"""Replies as stock clients read them: pickles of protocol 4, written from plain data and a few templates."""

from __future__ import annotations

import struct
from typing import Any, Final

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
    PATH,
    SCALAR,
    SET,
    TIME,
    TIMEDELTA,
    TUPLE,
    UUID_,
)

RETURN, ERROR = "#RETURN", "#ERROR"
TRACEBACK, UNSERIALIZABLE = "#TRACEBACK", "#UNSERIALIZABLE"
EXCEPTIONS: Final = {  # in every stock client; queue.Empty is _queue.Empty where that is
    "Empty": "queue",
    "Full": "queue",
    "ValueError": "builtins",
    "TypeError": "builtins",
}
_NAMES: Final = {
    DATETIME: "datetime",
    DATE: "date",
    TIME: "time",
    TIMEDELTA: "timedelta",
    DECIMAL: "Decimal",
    UUID_: "UUID",
    PATH: "Path",
    ENUM: "Enum",
    ARRAY: "numpy array",
    SCALAR: "numpy scalar",
    BLOB: "tq.Blob",
}
_CONTAINERS: Final[dict[int, type]] = {TUPLE: tuple, SET: set, FROZENSET: frozenset}


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
    """An item's value from the codec's bytes, if it is of plain types only. Nothing is imported for it."""
    return _unpack(payload, 0)


def _unpack(data: bytes, depth: int) -> Any:
    if depth > DEPTH_MAX:
        raise DecodeError(f"values nested deeper than {DEPTH_MAX}")

    def extended(code: int, body: bytes) -> Any:
        if code == BIG_INT:
            return int.from_bytes(body, "big", signed=True)
        if code in _CONTAINERS:
            return _CONTAINERS[code](_unpack(body, depth + 1))
        raise DecodeError(
            f"the next item has a {_NAMES.get(code, 'value of a newer version')} in it, which clients of the standard "
            "library cannot have from here; take it with tq.managers, or put numbers, text, bytes, lists, tuples, "
            "dicts and sets only"
        )

    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=extended)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise DecodeError(f"the next item is not a value: {error or type(error).__name__}") from None


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
