"""Replies as stock clients read them: pickles of protocol 4, written from plain data and a few templates.

What the codec knows beyond plain data is written as a call of the standard library's own name for it, which every
client from 3.8 on has: ``datetime.date``, ``decimal.Decimal``, ``uuid.UUID``, ``pathlib.Path`` and their like. No name
comes from an item: an enum and what numpy makes are plain tuples here, for the class of an enum would have to be
imported by the client because an item says so. So a stock client can take everything that a program of tq puts.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID

from ...common.errors import DecodeError
from ...common.values.depth import DEPTH_MAX
from .item_reader import UnmadeDict, UnmadeFrozenSet, UnmadeSet, read_item

RETURN, ERROR = "#RETURN", "#ERROR"
TRACEBACK, UNSERIALIZABLE = "#TRACEBACK", "#UNSERIALIZABLE"
EXCEPTIONS: Final = {  # in every stock client; queue.Empty is _queue.Empty where that is
    "Empty": "queue",
    "Full": "queue",
    "ValueError": "builtins",
    "TypeError": "builtins",
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


def _written(value: Any, depth: int, hashed: bool = False) -> bytes:
    """``hashed``: it is a member of a set or a key, or part of one, and the client has to be able to hash it."""
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
    template = _TEMPLATES.get(kind)
    if template is not None:
        module, name, arguments = template
        return _call(_global(module, name), *(_written(one, depth + 1) for one in arguments(value)))
    if kind not in _WRAPPED:
        raise DecodeError(f"a {kind.__name__} is not plain data")
    before, after, hashable, hashes = _WRAPPED[kind]
    if hashed and not hashable:
        raise DecodeError("the next item has a key or a member of a set that cannot be one")
    if kind is dict:
        value, kind = list(value.items()), UnmadeDict
    if kind is UnmadeDict:
        inner = [_written(key, depth + 1, True) + _written(one, depth + 1) for key, one in value]
    else:
        inner = [_written(one, depth + 1, hashed or hashes) for one in value]
    return before + b"".join(inner) + after


# before and after what is in it; whether it can be hashed; whether what is in it has to be
_WRAPPED: Final[dict[type, tuple[bytes, bytes, bool, bool]]] = {
    list: (b"](", b"e", False, False),
    tuple: (b"(", b"t", True, False),
    dict: (b"}(", b"u", False, False),
    UnmadeDict: (b"}(", b"u", False, False),
    set: (b"\x8f(", b"\x90", False, True),
    UnmadeSet: (b"\x8f(", b"\x90", False, True),
    frozenset: (b"(", b"\x91", True, True),
    UnmadeFrozenSet: (b"(", b"\x91", True, True),
}


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
