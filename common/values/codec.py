"""Values as bytes and back: arguments, results, items. Exact types or a refusal; never code, never pickle.

The wire form is msgpack. What msgpack knows by itself (None, bool, 64-bit int, float, str, bytes, list,
dict) travels as it is; the rest stands in ext types (``extension_types.py``). A value comes back with the type
it had, bit for bit, or it is refused where it is sent, with the path to the bad part::

    argument items[3].when: a Thing cannot be sent; send a dict of its fields

Subclasses are refused, not flattened, so that a receiver never gets less than was sent. Most values are plain and small, and
take a short way (``plain.py``) to the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from msgpack import unpackb

from ..errors import DecodeError, NotSerializable, ProtocolError
from ..wire.frames import Skimmed
from .blob import Blob
from .depth import DEPTH_MAX, check_depth, is_large, unpack_shallow
from .extension_types import TUPLE, decode_small_ext, prepare, text_for, unpack
from .hashing import CHOSEN_MAX
from .needed import Carried, Gathering, NeededResults
from .packing import BUFFER_BYTES_KEPT, pack_strictly, packers
from .paths import place
from .plain import ATOMS, SMALL_BYTES_MAX, are_atoms, is_plain
from .wants import Reading, Writing, met

# What one value may cost a program that makes all its sets and dicts for others who wait: see ``hashing.py``. Half a second.
WORK_MAX: Final = CHOSEN_MAX**2
ARGUMENTS_MAX: Final = 1_000  # of a call whose shape is looked at
NAME_BYTES_MAX: Final = 4 * 1024
CALL_DEPTH: Final = 2  # of what stands around the arguments of a call: [[…], {…}]
EACH: Final = "each"  # how the items of a chunk are passed: one by one, with a result or a failure for each
STYLES: Final = frozenset({"map", "starmap", EACH})
NOTHING_WANTED: Final = Writing()
# A large int, text that is not Unicode, and whatever comes of a value that another thread changes meanwhile.
NOT_PLAIN: Final = (OverflowError, ValueError, TypeError, RuntimeError)


def encode(
    value: object,
    *,
    root: str = "value",
    blobs: list[Blob] | None = None,
    must_stay: bool = False,
    judged: bool = False,
) -> bytes:
    """A value as bytes. Raises NotSerializable with the path below ``root``.

    ``blobs`` receives the blobs in it, whose content the caller uploads; without it, blobs are refused. ``must_stay``: so are
    references to what ends with a program. ``judged``: the value was decoded here, and its large sets and dicts were checked
    then.
    """
    try:
        if type(value) in ATOMS:
            packed: bytes = packers.strict(value)
            if len(packed) > BUFFER_BYTES_KEPT:
                packers.renew()
            return packed
        if is_plain(value):
            return pack_strictly(value)
        if type(value) is tuple and is_plain(items := list(value)):
            return packers.strict_ext(TUPLE, pack_strictly(items))  # type: ignore[no-any-return]
    except NOT_PLAIN:
        pass  # judged below
    writing = met.writing = Writing()
    writing.blobs, writing.must_stay, writing.judged = blobs, must_stay, judged
    try:
        return pack_strictly(prepare(value, place(root)))
    except NotSerializable:
        raise
    except Exception as error:
        raise _unsendable(error, root) from error
    finally:
        met.writing = NOTHING_WANTED


def encode_atom(value: object, root: str) -> bytes:
    """The same, for a value whose type is one of ATOMS: no blob is in it."""
    try:
        packed: bytes = packers.strict(value)
    except NOT_PLAIN:
        return encode(value, root=root)
    if len(packed) > BUFFER_BYTES_KEPT:
        packers.renew()
    return packed


def _unsendable(error: Exception, what: str) -> NotSerializable:
    """Whatever a value raises when it is looked at, an enum's own property say, means that it cannot travel."""
    return NotSerializable(
        what, f"a value that raises {type(error).__name__} when it is read", "send plain data"
    )


def encode_call(
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    names: Sequence[str] = (),
    blobs: list[Blob] | None = None,
    needs: Gathering | None = None,
) -> bytes:
    """The arguments of a call as bytes. ``names`` of the positional parameters make errors readable;
    ``blobs`` as for ``encode``. ``needs`` takes the handles in it; without it, they are refused."""
    try:
        if len(args) == 1 and not kwargs and type(args[0]) in ATOMS:
            packed: bytes = packers.strict(args[0])
            if len(packed) > BUFFER_BYTES_KEPT:
                packers.renew()
            return b"\x92\x91%b\x80" % packed  # as [args, {}]
        plain = list(args)
        if is_plain(plain) and (not kwargs or is_plain(kwargs)):
            return pack_strictly([plain, kwargs])
    except NOT_PLAIN:
        pass  # judged below
    writing = met.writing = Writing()
    writing.blobs, writing.needs = blobs, needs
    try:
        positional = [
            prepare(value, place(f"argument {names[index] if index < len(names) else index}"))
            for index, value in enumerate(args)
        ]
        keywords = {
            text_for(name, place(f"the name of argument {name!r}")): prepare(value, place(f"argument {name}"))
            for name, value in kwargs.items()
        }
        return pack_strictly([positional, keywords])
    except NotSerializable:
        raise
    except Exception as error:
        raise _unsendable(error, "an argument") from error
    finally:
        met.writing = NOTHING_WANTED


def encode_chunk(
    items: Sequence[Any],
    blobs: list[Blob] | None = None,
    *,
    star: bool,
    first: int = 0,
    each: bool = False,
) -> bytes:
    """Many calls of one function as one piece of work: each item the one argument, with ``star`` all of them. ``each``: what a
    call raises is its own, and the others go on (not with ``star``).

    ``first`` numbers the items in errors; ``blobs`` as for ``encode``.
    """
    style = EACH if each else "starmap" if star else "map"
    if not star and len(items) == 1 and type(items[0]) in ATOMS:
        try:
            return b"\x93\x91%b\x80%b" % (pack_strictly(items[0]), pack_strictly(style))
        except NOT_PLAIN:
            pass  # judged below
    if star:  # an item that can be read only once is read once
        items = [item if type(item) is tuple or type(item) is list else tuple(item) for item in items]
    try:
        plain = [list(item) for item in items] if star else list(items)
        if are_atoms(chain.from_iterable(items) if star else items) or is_plain(plain):
            return pack_strictly([plain, {}, style])
    except NOT_PLAIN:
        pass  # judged below
    writing = met.writing = Writing()
    writing.blobs = blobs
    try:
        prepared = [prepare(item, place(f"item {index}")) for index, item in enumerate(items, first)]
        return pack_strictly([prepared, {}, style])
    except NotSerializable:
        raise
    except Exception as error:
        raise _unsendable(error, "an item") from error
    finally:
        met.writing = NOTHING_WANTED


def decode(
    data: bytes | memoryview,
    *,
    as_is: bool = False,
    unmade: bool = False,
    judged: bool = False,
    work_max: int | None = None,
) -> Any:
    """The value in ``data``; raises DecodeError for anything else, whatever it is.

    ``as_is``: proxies in it stay the references that they travel as: for who keeps values, and does not use them. ``unmade``:
    large sets and dicts stay lists of what is in them, and members of enums their names. ``judged``: who sent it has judged them and
    how deep the value is, and is trusted to have: what a master has accepted can be read. ``work_max``: what such sets and dicts may come to, all together.
    """
    return _read(data, DEPTH_MAX, as_is, unmade, judged, work_max)


def _read(
    data: bytes | memoryview, depth_max: int, as_is: bool, unmade: bool, judged: bool, work_max: int | None
) -> Any:
    careful = False
    if not (as_is or unmade or judged) and work_max is None:
        try:
            if len(data) <= SMALL_BYTES_MAX:
                value = unpackb(data, strict_map_key=False, ext_hook=decode_small_ext)
                if len(data) > depth_max:
                    check_depth(value, data, depth_max)
                return value
        except DecodeError:
            raise
        except Exception:
            careful = True
    return _decode(data, depth_max, as_is, unmade, judged, work_max, careful)


def _decode(
    data: bytes | memoryview,
    depth_max: int,
    as_is: bool,
    unmade: bool,
    judged: bool,
    work_max: int | None,
    careful: bool,
    results: NeededResults | None = None,
) -> Any:
    """As ``decode``, the whole way. ``careful``: without the first attempt, which was made. ``results``: what stands in the places
    of handles."""
    before, reading = met.reading, Reading()
    met.reading, reading.results = reading, results
    if as_is:
        reading.as_is = True
    if unmade or judged or work_max is not None:
        reading.unmade, reading.judged, reading.work_left = unmade, judged, work_max
    try:
        if not careful:
            try:
                return _unpack(data, depth_max, reading)
            except DecodeError:
                raise
            except Exception:
                careful = True  # most likely a large map: see unpack
        reading.careful, reading.work_left = careful, work_max
        return _unpack(data, depth_max, reading)
    except DecodeError:
        raise
    except Exception as error:  # of msgpack, of any type's constructor, of a user's enum: it is these bytes'
        raise DecodeError(f"these bytes are not a value: {error or type(error).__name__}") from None
    finally:
        met.reading = before


def _unpack(data: bytes | memoryview, depth_max: int, reading: Reading) -> Any:
    """What is judged may be deeper: the limit was another one, perhaps, when it was. So may arguments with results in them."""
    if reading.judged or reading.results is not None:
        return unpack(data)
    if not is_large(data):
        value = unpack(data)
    else:
        value = unpack_shallow(data, unpack, depth_max)
        if not reading.met_containers:
            return value
    check_depth(value, data, depth_max)
    return value


def decode_call(
    data: bytes | memoryview,
    *,
    as_is: bool = False,
    unmade: bool = False,
    judged: bool = False,
    work_max: int | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in ``data``; raises DecodeError. The rest as for ``decode``."""
    value = _read(data, DEPTH_MAX + CALL_DEPTH, as_is, unmade, judged, work_max)
    args, kwargs, style = _work(value)
    if style is not None:
        raise DecodeError("these bytes are many calls, not one")
    return args, kwargs


def shape_of_call(data: bytes | memoryview) -> tuple[int, list[str]]:
    """How many arguments there are in ``data`` and the names of the others, none of which is read; raises DecodeError."""
    try:
        skimmed = Skimmed(data)
        if skimmed.array() != 2:
            raise DecodeError("these bytes are not the arguments of a call")
        count = skimmed.array()
        if count > ARGUMENTS_MAX:
            raise DecodeError(f"a call with {count:,} arguments")
        for _ in range(count):
            skimmed.skip()
        names: list[str] = []
        for _ in range(min(skimmed.map(), ARGUMENTS_MAX + 1)):
            names.append(skimmed.take(NAME_BYTES_MAX))
            skimmed.skip()
    except ProtocolError as error:
        raise DecodeError(f"these bytes are not the arguments of a call: {error}") from None
    if len(names) > ARGUMENTS_MAX or not all(type(name) is str for name in names):
        raise DecodeError("these bytes are not the arguments of a call")
    return count, names


def decode_work(
    data: bytes | memoryview, *, as_is: bool = False
) -> tuple[list[Any], dict[str, Any], str | None]:
    """A call's arguments and None, or the items of a chunk and how each is passed; raises DecodeError."""
    careful = False
    if not as_is:
        try:
            if len(data) <= SMALL_BYTES_MAX:
                value = unpackb(data, strict_map_key=False, ext_hook=decode_small_ext)
                if len(data) > DEPTH_MAX:
                    check_depth(value, data, DEPTH_MAX + CALL_DEPTH)
                return _work(value)
        except DecodeError:
            raise
        except Exception:
            careful = True
    return _work(_decode(data, DEPTH_MAX + CALL_DEPTH, as_is, False, False, None, careful), as_is=as_is)


def _opened(carried: Carried, as_is: bool) -> tuple[list[Any], dict[str, Any], str | None]:
    """The arguments of a task that needs results of others."""
    results = None if as_is else NeededResults(carried, decode)
    return _work(
        _decode(carried.payload, DEPTH_MAX + CALL_DEPTH, as_is, False, False, None, False, results),
        is_opened=True,
    )


def _work(
    value: Any, *, as_is: bool = False, is_opened: bool = False
) -> tuple[list[Any], dict[str, Any], str | None]:
    # By types and not by a pattern, which takes ten times as long: this is done for every task.
    if type(value) is list and len(value) == 2:
        args, kwargs = value
        if type(args) is list and type(kwargs) is dict:
            for name in kwargs:
                if type(name) is not str:
                    break
            else:
                return args, kwargs, None
    elif type(value) is list and len(value) == 3:
        items, nothing, style = value
        fits = type(items) is list and type(nothing) is dict and not nothing and type(style) is str
        if fits and style in STYLES:
            return items, nothing, style
    elif type(value) is Carried and not is_opened:
        return _opened(value, as_is)
    raise DecodeError("these bytes are not the arguments of a call")


__all__ = [
    "NotSerializable",
    "decode",
    "decode_call",
    "decode_work",
    "encode",
    "encode_atom",
    "encode_call",
    "encode_chunk",
]
