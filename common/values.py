"""The types that msgpack does not know, as its ext types. One table: a type, its code, both directions.

==== ============================ ======================================================
code type                         body (msgpack unless said otherwise)
==== ============================ ======================================================
1    tuple                        array of the items
2    int beyond 64 bits           two's complement, big-endian bytes
3, 4 set, frozenset               array of the items, in no particular order
5    datetime                     [year, month, day, hour, minute, second, microsecond, fold, zone]
6    date                         [year, month, day]
7    time                         [hour, minute, second, microsecond, fold, zone]
8    timedelta                    [days, seconds, microseconds]
9    Decimal                      its text, ASCII bytes
10   UUID                         its 16 bytes
11   Path, PurePath               [flavour, text]
12   Enum                         ["module:Name", member name, or the value of a Flag]
13   numpy array                  [dtype, shape, bytes in C order]
14   numpy scalar                 [dtype, bytes]
15   Blob                         size in bytes (8, unsigned, big-endian), BLAKE2b-256 of the content (32)
16   dict with other keys than    array of keys and values in turn
     str, bytes, 64-bit int
17   a manager's object           [kind, where it is, its master's cluster id]
==== ============================ ======================================================

zone: nil, an IANA key as text, or [days, seconds, microseconds, name or nil] of a fixed offset.

Nothing is imported because data names it: an Enum is looked up among the modules that are there.
"""

from __future__ import annotations

import datetime
import enum
import sys
import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final
from uuid import UUID

import msgpack

from .blob import Blob
from .errors import DecodeError, NotSerializable
from .naming import find_loaded, load_callable, module_name_of
from .places import Key, Place, written
from .references import REVIVED_BY, WIRE_BYTES_MAX, Reference

DEPTH_MAX: Final = 64  # containers within containers; deeper is a mistake or an attack
SAME_HASH_MAX: Final = 128  # keys or members of one hash; in honest values there are two or three
INT64_MIN, UINT64_MAX = -(2**63), 2**64 - 1
ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
AS_THEY_ARE: Final = frozenset({type(None), bool, float, bytes})  # others of them are looked at
KEYS: Final = frozenset({str, int, bytes})

TUPLE, BIG_INT, SET, FROZENSET, DATETIME, DATE, TIME, TIMEDELTA = range(1, 9)
DECIMAL, UUID_, PATH, ENUM, ARRAY, SCALAR, BLOB, PAIRS, REFERENCE = range(9, 18)

type_of_flavour: Final[dict[str, type[PurePath]]] = {
    "Path": Path,
    "PurePosixPath": PurePosixPath,
    "PureWindowsPath": PureWindowsPath,
}


def prepare(value: Any, path: Place) -> Any:
    """``value`` in terms msgpack packs as it is; raises NotSerializable with the path."""
    kind = type(value)
    if kind in ATOMS:
        return _atom(value, kind, path)
    depth = path[0] + 1
    if depth > DEPTH_MAX + 1:
        raise _refusal(path, f"a value nested deeper than {DEPTH_MAX}", "flatten it, or break its cycle")
    if kind is list:
        return (
            value if _is_flat(value) else [prepare(item, (depth, path, at)) for at, item in enumerate(value)]
        )
    if kind is dict:
        return _dict(value, path)
    exotic = _EXOTIC.get(kind)
    if exotic is not None:
        return exotic(value, path)
    return _rare(value, path)


def _is_flat(values: list[Any]) -> bool:
    """Whether it is packed as it is, seen at a glance: as long lists are, of one type."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return _is_64_bits(min(values)) and _is_64_bits(max(values))
    return kinds <= AS_THEY_ARE or (kinds == {str} and all(map(str.isascii, values)))


def _is_64_bits(value: int) -> bool:
    return INT64_MIN <= value <= UINT64_MAX


def _atom(value: Any, kind: type, path: Place) -> Any:
    if kind is int and not _is_64_bits(value):
        return _ext(BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if kind is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _refusal(
                path, "text with lone surrogates", "send the bytes instead: os.fsencode(text)"
            ) from None
    return value


def _dict(value: dict[Any, Any], path: Place) -> Any:
    if not all(type(key) in KEYS and (type(key) is not int or _is_64_bits(key)) for key in value):
        return _pairs(value, path)
    depth = path[0] + 1
    return {
        _atom(key, type(key), path): prepare(item, (depth, path, Key(key))) for key, item in value.items()
    }


def _pairs(value: dict[Any, Any], path: Place) -> Any:
    """Keys and values in turn: msgpack's own maps have plain keys."""
    parts: list[Any] = []
    depth = path[0] + 1
    for key, item in value.items():
        parts += prepare(key, (depth, path, Key(key, True))), prepare(item, (depth, path, Key(key)))
    return _ext(PAIRS, _pack(parts))


def _items(code: int) -> Callable[[Any, Place], Any]:
    def prepare_items(value: Any, path: Place) -> Any:
        depth = path[0] + 1
        return _ext(code, _pack([prepare(item, (depth, path, at)) for at, item in enumerate(value)]))

    return prepare_items


def _datetime(value: datetime.datetime, path: Place) -> Any:
    day = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return _ext(DATETIME, _pack([*day, value.fold, _zone(value.tzinfo, path)]))


def _time(value: datetime.time, path: Place) -> Any:
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return _ext(TIME, _pack([*clock, value.fold, _zone(value.tzinfo, path)]))


def _zone(zone: datetime.tzinfo | None, path: Place) -> Any:
    if zone is None:
        return None
    if type(zone) is datetime.timezone:
        offset = zone.utcoffset(None)
        name = zone.tzname(None)
        fixed = None if name == datetime.timezone(offset).tzname(None) else name
        return [offset.days, offset.seconds, offset.microseconds, fixed]
    key = getattr(zone, "key", None)
    if type(zone).__module__.partition(".")[0] == "zoneinfo" and isinstance(key, str):
        return key
    raise _refusal(
        path, f"a time in a {type(zone).__name__}", "use datetime.timezone or zoneinfo.ZoneInfo('Area/City')"
    )


def _path(value: PurePath, path: Place) -> Any:
    flavour = "Path" if isinstance(value, Path) else type(value).__name__
    return _ext(PATH, _pack([flavour, str(value)]))


def _rare(value: Any, path: Place) -> Any:
    kind = type(value)
    if isinstance(value, enum.Enum):
        name = f"{module_name_of(kind)}:{kind.__qualname__}"
        member = value.value if isinstance(value, enum.Flag) else value.name
        return _ext(ENUM, _pack([name, member]))
    if isinstance(value, PurePath):
        return _path(value, path)
    if kind.__module__ == "numpy":
        return _numpy(value, path)
    refer = getattr(kind, "_tq_reference", None)  # asked of the class: a proxy's attributes may be calls
    if refer is not None:
        return _reference(refer(value), path)
    article = "an" if kind.__qualname__[0] in "aeioAEIO" else "a"
    raise _refusal(path, f"{article} {kind.__qualname__}", _remedy(value))


def _numpy(value: Any, path: Place) -> Any:
    dtype = getattr(value, "dtype", None)
    if dtype is None or dtype.hasobject or dtype.names is not None:
        raise _refusal(
            path,
            f"a numpy {type(value).__name__} of dtype {dtype}",
            "use a plain numeric dtype, or .tolist()",
        )
    if type(value).__name__ == "ndarray":
        return _ext(ARRAY, _pack([dtype.str, list(value.shape), value.tobytes()]))
    if not hasattr(value, "shape") or value.shape != ():
        raise _refusal(path, f"a numpy {type(value).__name__}", "use numpy.asarray(value)")
    return _ext(SCALAR, _pack([dtype.str, value.tobytes()]))


def _remedy(value: Any) -> str:
    if isinstance(value, (bytearray, memoryview)):
        return "send bytes(value)"
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return "send dataclasses.asdict(value), or its fields as arguments"
    for plain in (str, bytes, int, float, list, tuple, dict, set):
        if isinstance(value, plain):
            return f"subclasses lose their type on the way: send {plain.__name__}(value)"
    if hasattr(value, "__next__"):
        return "send list(value)"
    if callable(value):
        return "send its name, 'module:function', and look it up in the task"
    if hasattr(value, "read"):
        return "send its content, or a path both hosts can read"
    return "send a dict of its fields"


class _Met(threading.local):
    blobs: list[Blob] | None = None
    must_stay = False  # references are kept by what stays, and must not go with a program
    as_is = False  # references are not to become proxies here


# What whoever encodes or decodes in this thread wants of it: blobs, when he sees to their content.
met = _Met()


def _blob(value: Blob, path: Place) -> Any:
    if met.blobs is None:
        raise _refusal(
            path,
            "a tq.Blob",
            "the arguments and the results of tasks bring its content along; nothing else does",
        )
    met.blobs.append(value)
    return _ext(BLOB, value.to_wire())


def _reference(value: Reference, path: Place) -> Any:
    if met.must_stay and not value.stays:
        raise _refusal(
            path,
            f"{value!r}, which goes with the program that made it,",
            "give it a name, as has what is to keep it",
        )
    return _ext(REFERENCE, _pack(value.to_wire()))


def _refusal(path: Place, kind: str, remedy: str) -> NotSerializable:
    return NotSerializable(written(path, DEPTH_MAX), kind, remedy)


def _ext(code: int, body: bytes) -> Any:
    return msgpack.ExtType(code, body)


def _pack(value: Any) -> bytes:
    return msgpack.packb(value, use_bin_type=True, strict_types=False)  # type: ignore[no-any-return]


_EXOTIC: Final[dict[type, Callable[[Any, Place], Any]]] = {
    tuple: _items(TUPLE),
    set: _items(SET),
    frozenset: _items(FROZENSET),
    datetime.datetime: _datetime,
    datetime.date: lambda value, path: _ext(DATE, _pack([value.year, value.month, value.day])),
    datetime.time: _time,
    datetime.timedelta: lambda value, path: _ext(
        TIMEDELTA, _pack([value.days, value.seconds, value.microseconds])
    ),
    Decimal: lambda value, path: _ext(DECIMAL, str(value).encode("ascii")),
    UUID: lambda value, path: _ext(UUID_, value.bytes),
    Blob: _blob,
    Reference: _reference,
}


# back again


class _Depth(threading.local):
    value = 0


_depth = _Depth()


def decode_ext(code: int, body: bytes) -> Any:
    """The value of an ext; raises DecodeError (or what its constructor raises, which codec.py maps)."""
    reader = _READERS.get(code)
    if reader is None:
        raise DecodeError(f"ext code {code} is unknown; the sender has a newer version of tq")
    if _depth.value >= DEPTH_MAX:
        raise DecodeError(f"values nested deeper than {DEPTH_MAX}")
    _depth.value += 1
    try:
        return reader(body)
    finally:
        _depth.value -= 1


def _unpack(body: bytes) -> Any:
    return msgpack.unpackb(body, raw=False, strict_map_key=False, ext_hook=decode_ext)


def _unpack_list(body: bytes) -> list[Any]:
    value = _unpack(body)
    if type(value) is not list:
        raise DecodeError("an array was expected in an ext body")
    return value


def _read_zone(zone: Any) -> datetime.tzinfo | None:
    match zone:
        case None:
            return None
        case str(key):
            from zoneinfo import ZoneInfo  # loads the zone database: only for those who use it

            return ZoneInfo(key)
        case [int(days), int(seconds), int(microseconds), name]:
            offset = datetime.timedelta(days, seconds, microseconds)
            return datetime.timezone(offset) if name is None else datetime.timezone(offset, str(name))
    raise DecodeError("not a time zone")


def _read_datetime(body: bytes) -> datetime.datetime:
    *fields, fold, zone = _unpack_list(body)
    return datetime.datetime(*fields, fold=fold).replace(tzinfo=_read_zone(zone))


def _read_time(body: bytes) -> datetime.time:
    *fields, fold, zone = _unpack_list(body)
    return datetime.time(*fields, fold=fold).replace(tzinfo=_read_zone(zone))


def _read_path(body: bytes) -> PurePath:
    flavour, text = _unpack_list(body)
    return type_of_flavour[flavour](text)


def _read_enum(body: bytes) -> enum.Enum:
    name, member = _unpack_list(body)
    if type(name) is not str:
        raise DecodeError("the name of an enum is a str")
    kind = find_loaded(name)
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        raise DecodeError(f"the enum {name} is not known here; import {name.partition(':')[0]} first")
    return kind(member) if issubclass(kind, enum.Flag) else kind[member]


def _read_pairs(body: bytes) -> dict[Any, Any]:
    return paired(_unpack_list(body))


def paired(parts: list[Any]) -> dict[Any, Any]:
    """The dict of keys and values in turn. DecodeError for keys that were made to have one hash."""
    return dict(zip(_hashed_apart(parts[::2]), parts[1::2], strict=True))


def _hashed_apart(members: list[Any]) -> list[Any]:
    """As they are, unless so many have one hash that a set of them, each compared with all, would take minutes. Tuples can
    be made so; text and bytes cannot, for their hash has a secret."""
    if len(members) > SAME_HASH_MAX and max(Counter(map(hash, members)).values()) > SAME_HASH_MAX:
        raise DecodeError("keys or members that were made to have one hash")
    return members


def _read_reference(body: bytes) -> Any:
    if len(body) > WIRE_BYTES_MAX:
        raise DecodeError("a reference to a manager's object that is too long to be one")
    reference = Reference.from_wire(_unpack_list(body))
    return reference if met.as_is else load_callable(REVIVED_BY)(reference)


def _read_array(body: bytes) -> Any:
    dtype, shape, data = _unpack_list(body)
    return _numpy_module().frombuffer(data, dtype=_dtype(dtype)).reshape(shape).copy()


def _read_scalar(body: bytes) -> Any:
    dtype, data = _unpack_list(body)
    return _numpy_module().frombuffer(data, dtype=_dtype(dtype), count=1)[0]


def _dtype(text: Any) -> Any:
    dtype = _numpy_module().dtype(str(text))
    if dtype.hasobject or dtype.names is not None:
        raise DecodeError(f"dtype {text} is not plain")
    return dtype


def _numpy_module() -> Any:
    module = sys.modules.get("numpy")
    if module is None:
        try:
            import numpy as module
        except ImportError:
            raise DecodeError("this value is a numpy array; install numpy here to read it") from None
    return module


_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    TUPLE: lambda body: tuple(_unpack_list(body)),
    BIG_INT: lambda body: int.from_bytes(body, "big", signed=True),
    SET: lambda body: set(_hashed_apart(_unpack_list(body))),
    FROZENSET: lambda body: frozenset(_hashed_apart(_unpack_list(body))),
    DATETIME: _read_datetime,
    DATE: lambda body: datetime.date(*_unpack_list(body)),
    TIME: _read_time,
    TIMEDELTA: lambda body: datetime.timedelta(*_unpack_list(body)),
    DECIMAL: lambda body: Decimal(body.decode("ascii")),
    UUID_: lambda body: UUID(bytes=body),
    PATH: _read_path,
    ENUM: _read_enum,
    ARRAY: _read_array,
    SCALAR: _read_scalar,
    BLOB: Blob.from_wire,
    PAIRS: _read_pairs,
    REFERENCE: _read_reference,
}
