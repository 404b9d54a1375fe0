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
18   array.array                  [type code, size of an element, bytes in little-endian order]
19   a handle, or several         the id of the task whose result it stands for; [[first id, how many], …]
20   none: of a payload           [payload, whether failures stand for results, [[first id, state, [body, …]], …]]
==== ============================ ======================================================

zone: nil, an IANA key as text, or [days, seconds, microseconds, name or nil] of a fixed offset.

Nothing is imported because data names it: an Enum is looked up among the modules that are there.
"""

from __future__ import annotations

import datetime
import enum
import threading
from array import array
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final
from uuid import UUID

import msgpack

from ..domain.naming import load_callable, module_name_of
from ..errors import DecodeError, NotSerializable
from .arrays import is_plain, machine_parts, read_array, read_machine, read_scalar
from .blob import Blob
from .depth import DEPTH_MAX
from .enums import read_enum
from .hashing import ALIKE_MAX, chosen, complaint
from .needed import CARRIED_CODE, NEEDED_CODE, Carried, Needed
from .packing import pack_loosely
from .paths import Key, Place, written
from .plain import ATOMS, KEYS, is_64_bits, is_flat
from .references import REVIVED_BY, WIRE_BYTES_MAX, Reference
from .remedies import remedy
from .unmade import Unmade, UnmadeEnum
from .wants import NO_OPTIONS, met
from .zones import fixed_of, key_of, zone_of

DECODE_ITEMS_MAX: Final = 16 * 1024 * 1024  # elements of one container; the frame limit binds earlier
GLANCED_MAX: Final = 128  # keys of a map that msgpack may make; no chain of so few takes long
SEND_BYTES: Final = "send the bytes instead: os.fsencode(…)"

TUPLE, BIG_INT, SET, FROZENSET, DATETIME, DATE, TIME, TIMEDELTA = range(1, 9)
DECIMAL, UUID_, PATH, ENUM, ARRAY, SCALAR, BLOB, PAIRS, REFERENCE, MACHINE_ARRAY = range(9, 19)

type_of_flavour: Final[dict[str, type[PurePath]]] = {
    "Path": Path,
    "PurePosixPath": PurePosixPath,
    "PureWindowsPath": PureWindowsPath,
}


def prepare(value: Any, path: Place) -> Any:
    """``value`` in terms msgpack packs as it is; raises NotSerializable with the path."""
    kind = type(value)
    # First, by a look into a set: most values are these.
    if kind in ATOMS:
        return _atom(value, kind, path)
    depth = path[0] + 1
    if depth > DEPTH_MAX + 1:
        raise _refusal(path, f"a value nested deeper than {DEPTH_MAX}", "flatten it, or break its cycle")
    if kind is list:
        return (
            value if is_flat(value) else [prepare(item, (depth, path, at)) for at, item in enumerate(value)]
        )
    if kind is dict:
        return _dict(value, path)
    exotic = _EXOTIC.get(kind)
    if exotic is not None:
        return exotic(value, path)
    return _rare(value, path)


def _atom(value: Any, kind: type, path: Place) -> Any:
    if kind is int and not is_64_bits(value):
        return _ext(BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    return text_for(value, path) if kind is str else value


def text_for(text: str, path: Place, what: str = "text", remedy: str = SEND_BYTES) -> str:
    """As it is. NotSerializable for half a character, as there is in the name of a file that is not UTF-8."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _refusal(path, f"{what} with lone surrogates", remedy) from None
    return text


def _looked_up(members: list[Any], path: Place) -> None:
    """Keys or members: raises NotSerializable for those that a reader would refuse."""
    wrong = None if met.writing.judged else complaint(members)
    if wrong is not None:
        raise _refusal(path, wrong, "send a list, and make the dict or set where it is used")


def _dict(value: dict[Any, Any], path: Place) -> Any:
    if len(value) > ALIKE_MAX:
        _looked_up(list(value), path)
    if not all(type(key) in KEYS and (type(key) is not int or is_64_bits(key)) for key in value):
        return _pairs(value.items(), path)
    depth = path[0] + 1
    return {
        _atom(key, type(key), path): prepare(item, (depth, path, Key(key))) for key, item in value.items()
    }


def _pairs(pairs: Iterable[tuple[Any, Any]], path: Place) -> Any:
    """Keys and values in turn: msgpack's own maps have plain keys."""
    parts: list[Any] = []
    depth = path[0] + 1
    for key, item in pairs:
        parts += prepare(key, (depth, path, Key(key, True))), prepare(item, (depth, path, Key(key)))
    return _ext(PAIRS, pack_loosely(parts))


def _items(code: int) -> Callable[[Any, Place], Any]:
    def prepare_items(value: Any, path: Place) -> Any:
        depth = path[0] + 1
        if code != TUPLE and len(value) > ALIKE_MAX:
            _looked_up(list(value), path)
        return _ext(code, pack_loosely([prepare(item, (depth, path, at)) for at, item in enumerate(value)]))

    return prepare_items


def _datetime(value: datetime.datetime, path: Place) -> Any:
    day = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    return _ext(DATETIME, pack_loosely([*day, value.fold, _zone(value.tzinfo, path)]))


def _time(value: datetime.time, path: Place) -> Any:
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return _ext(TIME, pack_loosely([*clock, value.fold, _zone(value.tzinfo, path)]))


def _zone(zone: datetime.tzinfo | None, path: Place) -> Any:
    if zone is None:
        return None
    if type(zone) is datetime.timezone:
        offset, name = fixed_of(zone)
        if name is not None:
            text_for(name, path, "the name of a time zone", "name it in plain text")
        return [offset.days, offset.seconds, offset.microseconds, name]
    key = key_of(zone)
    if key is not None:
        return key
    raise _refusal(
        path, f"a time in a {type(zone).__name__}", "use datetime.timezone or zoneinfo.ZoneInfo('Area/City')"
    )


def _path(value: PurePath, path: Place) -> Any:
    flavour = "Path" if isinstance(value, Path) else type(value).__name__
    return _ext(PATH, pack_loosely([flavour, text_for(str(value), path, f"a {flavour}")]))


def _rare(value: Any, path: Place) -> Any:
    kind = type(value)
    if isinstance(value, enum.Enum):
        name = f"{module_name_of(kind)}:{kind.__qualname__}"
        # A flag that is made of several has no name that could be looked up.
        member = value.value if isinstance(value, enum.Flag) else value.name
        return _ext(ENUM, pack_loosely([text_for(name, path), prepare(member, path)]))
    if isinstance(value, PurePath):
        return _path(value, path)
    # By name: numpy need not be imported, nor installed, for all other values.
    if kind.__module__ == "numpy":
        return _numpy(value, path)
    refer = getattr(kind, "_tq_reference", None)  # asked of the class: a proxy's attributes may be calls
    if refer is not None:
        return _reference(refer(value), path)
    needed = getattr(kind, "_tq_needed", None)
    if needed is not None and met.writing.needs is not None:
        session, named = needed(value)
        why_not = met.writing.needs.add(session, named)
        if why_not:
            raise _refusal(path, why_not, remedy(value))
        return _ext(NEEDED_CODE, named.to_wire())
    article = "an" if kind.__qualname__[0] in "aeioAEIO" else "a"
    raise _refusal(path, f"{article} {kind.__qualname__}", remedy(value))


def _numpy(value: Any, path: Place) -> Any:
    what, dtype = f"a numpy {type(value).__name__}", getattr(value, "dtype", None)
    # Of objects the bytes would be addresses in this process.
    if dtype is None or not is_plain(dtype):
        raise _refusal(path, f"{what} of dtype {dtype}", "use a plain numeric dtype, or .tolist()")
    if type(value).__name__ == "ndarray":
        return _ext(ARRAY, pack_loosely([dtype.str, list(value.shape), value.tobytes()]))
    if not hasattr(value, "shape") or value.shape != ():
        raise _refusal(path, what, "use numpy.asarray(value)")
    return _ext(SCALAR, pack_loosely([dtype.str, value.tobytes()]))


def _blob(value: Blob, path: Place) -> Any:
    if met.writing.blobs is None:
        raise _refusal(
            path,
            "a tq.Blob",
            "the arguments and the results of tasks bring its content along; nothing else does",
        )
    met.writing.blobs.append(value)
    return _ext(BLOB, value.to_wire())


def _reference(value: Reference, path: Place) -> Any:
    if met.writing.must_stay and not value.stays:
        raise _refusal(
            path,
            f"{value!r}, which goes with the program that made it,",
            "give it a name, as has what is to keep it",
        )
    return _ext(REFERENCE, pack_loosely(value.to_wire()))


def _refusal(path: Place, kind: str, remedy: str) -> NotSerializable:
    return NotSerializable(written(path, DEPTH_MAX), kind, remedy)


def _ext(code: int, body: bytes) -> Any:
    return msgpack.ExtType(code, body)


_EXOTIC: Final[dict[type, Callable[[Any, Place], Any]]] = {
    tuple: _items(TUPLE),
    set: _items(SET),
    frozenset: _items(FROZENSET),
    datetime.datetime: _datetime,
    datetime.date: lambda value, path: _ext(DATE, pack_loosely([value.year, value.month, value.day])),
    datetime.time: _time,
    datetime.timedelta: lambda value, path: _ext(
        TIMEDELTA, pack_loosely([value.days, value.seconds, value.microseconds])
    ),
    # As text: every digit, and NaN and infinity too.
    Decimal: lambda value, path: _ext(DECIMAL, str(value).encode("ascii")),
    UUID: lambda value, path: _ext(UUID_, value.bytes),
    Blob: _blob,
    array: lambda value, path: _ext(MACHINE_ARRAY, pack_loosely(machine_parts(value))),
    Reference: _reference,
    Unmade: lambda value, path: _EXOTIC[value.kind](value.members, path),
    UnmadeEnum: lambda value, path: _ext(ENUM, pack_loosely([value.name, prepare(value.member, path)])),
    dict: lambda value, path: _pairs(value, path),  # of pairs: a dict itself never comes here
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
    # Each ext is decoded by a call in C of its own, which msgpack's own bound for depth does not count.
    if _depth.value >= DEPTH_MAX:
        raise DecodeError(f"values nested deeper than {DEPTH_MAX}")
    _depth.value += 1
    try:
        return reader(body)
    finally:
        _depth.value -= 1


def decode_small_ext(code: int, body: bytes) -> Any:
    """Likewise, in a value that is small and decoded without options, whatever is decoded around it in this thread."""
    before = met.reading
    if before is NO_OPTIONS:
        return decode_ext(code, body)
    met.reading = NO_OPTIONS
    try:
        return decode_ext(code, body)
    finally:
        met.reading = before


def unpack(body: bytes | memoryview) -> Any:
    """The value of msgpack in ``body``; raises whatever there is to raise.

    msgpack makes a map by itself, before anybody sees its keys. So one of more than a glance's worth is an error, after which
    the whole value is read once more, carefully: each map as its pairs.
    """
    careful = met.reading.careful
    return msgpack.unpackb(
        body,
        raw=False,
        strict_map_key=False,
        ext_hook=decode_ext,
        object_pairs_hook=_map if careful else None,
        max_array_len=DECODE_ITEMS_MAX,
        max_map_len=DECODE_ITEMS_MAX if careful else GLANCED_MAX,
    )


def _map(pairs: list[tuple[Any, Any]]) -> Any:
    return dict(pairs) if len(pairs) <= GLANCED_MAX else _keyed(dict, pairs, [key for key, _ in pairs])


def _unpack_list(body: bytes) -> list[Any]:
    value = unpack(body)
    if type(value) is not list:
        raise DecodeError("an array was expected in an ext body")
    return value


def _unpack_members(body: bytes) -> list[Any]:
    """Of a container: ``codec.py`` looks how deep the value is."""
    reading = met.reading
    if not reading.met_containers:
        reading.met_containers = True
    return _unpack_list(body)


def _read_zone(zone: Any) -> datetime.tzinfo | None:
    match zone:
        case None:
            return None
        case str(key):
            reading = met.reading
            if reading is NO_OPTIONS:  # a small value has few
                return zone_of(key)
            zones = reading.zones = reading.zones or {}
            return zones.get(key) or zones.setdefault(key, zone_of(key))
        case [int(days), int(seconds), int(microseconds), None | str() as name]:
            offset = datetime.timedelta(days, seconds, microseconds)
            return datetime.timezone(offset) if name is None else datetime.timezone(offset, name)
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


def _read_enum(body: bytes) -> enum.Enum | UnmadeEnum:
    name, member = _unpack_list(body)
    return read_enum(name, member, unmade=met.reading.unmade, judged=met.reading.judged)


def _read_pairs(body: bytes) -> Any:
    parts = _unpack_members(body)
    return _keyed(dict, list(zip(parts[::2], parts[1::2], strict=True)), parts[::2])


def _read_set(body: bytes) -> Any:
    members = _unpack_members(body)
    return _keyed(set, members, members)


def _read_frozenset(body: bytes) -> Any:
    members = _unpack_members(body)
    return _keyed(frozenset, members, members)


def _keyed(kind: type, content: list[Any], keys: list[Any]) -> Any:
    """The dict or set of this content, or what stands for it. DecodeError when it would take too long to make."""
    if len(keys) > ALIKE_MAX and (count := chosen(keys)) > ALIKE_MAX:
        reading = met.reading
        wrong = None if reading.judged else complaint(keys)
        if wrong is not None:
            raise DecodeError(f"{wrong} are refused: they can be made so that it takes minutes to make")
        if reading.unmade:
            return Unmade(kind, content)
        if reading.work_left is not None:
            reading.work_left -= count * count
            if reading.work_left < 0:
                raise DecodeError("too many large dicts and sets of keys that are neither text nor bytes")
    return kind(content)


def _read_reference(body: bytes) -> Any:
    if len(body) > WIRE_BYTES_MAX:
        raise DecodeError("a reference to a manager's object that is too long to be one")
    reference = Reference.from_wire(_unpack_list(body))
    return reference if met.reading.as_is else load_callable(REVIVED_BY)(reference)


def _read_needed(body: bytes) -> Any:
    needed, reading = Needed.from_wire(body), met.reading
    if reading.as_is:
        return needed
    if reading.results is None:
        raise DecodeError(f"{needed!r} stands in no arguments of a task")
    return reading.results.value(needed)


_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    TUPLE: lambda body: tuple(_unpack_members(body)),
    BIG_INT: lambda body: int.from_bytes(body, "big", signed=True),
    SET: _read_set,
    FROZENSET: _read_frozenset,
    DATETIME: _read_datetime,
    DATE: lambda body: datetime.date(*_unpack_list(body)),
    TIME: _read_time,
    TIMEDELTA: lambda body: datetime.timedelta(*_unpack_list(body)),
    DECIMAL: lambda body: Decimal(body.decode("ascii")),
    UUID_: lambda body: UUID(bytes=body),
    PATH: _read_path,
    ENUM: _read_enum,
    ARRAY: lambda body: read_array(*_unpack_list(body)),
    SCALAR: lambda body: read_scalar(*_unpack_list(body)),
    MACHINE_ARRAY: lambda body: read_machine(*_unpack_list(body)),
    BLOB: Blob.from_wire,
    PAIRS: _read_pairs,
    REFERENCE: _read_reference,
    NEEDED_CODE: _read_needed,
    CARRIED_CODE: Carried,
}
