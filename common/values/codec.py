"""Values as bytes and back: arguments, results, items. Exact types or a refusal; never code, never pickle.

The wire form is msgpack. What msgpack knows by itself (None, bool, 64-bit int, float, str, bytes, list,
dict) travels as it is; the rest stands in ext types (``extension_types.py``). A value comes back with the type
it had, bit for bit, or it is refused where it is sent, with the path to the bad part::

    argument items[3].when: a Thing cannot be sent; send a dict of its fields

Subclasses are refused, not flattened, so that a receiver never gets less than was sent. The usual call (a few plain
arguments) is handled in C but for two look-ups.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import msgpack

from ..errors import DecodeError, NotSerializable, ProtocolError
from ..wire.frames import Skimmed
from .blob import Blob
from .extension_types import ATOMS, prepare, text_for, unpack
from .hashing import CHOSEN_MAX
from .paths import place
from .wants import Reading, Writing, met

# What one value may cost a program that makes all its sets and dicts for others who wait: see ``hashing.py``. Half a second.
WORK_MAX: Final = CHOSEN_MAX**2
ARGUMENTS_MAX: Final = 1_000  # of a call whose shape is looked at
NAME_BYTES_MAX: Final = 4 * 1024


class _PackerOfThread(threading.local):
    """msgpack's Packer is not thread-safe, and making one costs more than packing a small value."""

    def __init__(self) -> None:
        self.pack = msgpack.Packer(autoreset=True, use_bin_type=True, strict_types=True).pack


_packer = _PackerOfThread()
NOTHING_WANTED: Final = Writing()


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
    if type(value) in ATOMS or (type(value) is list and ATOMS.issuperset(map(type, value))):
        try:
            return _packer.pack(value)  # type: ignore[no-any-return]
        except (OverflowError, UnicodeEncodeError):
            pass  # a large int, or text that is not Unicode: judged below
    writing = met.writing = Writing()
    writing.blobs, writing.must_stay, writing.judged = blobs, must_stay, judged
    try:
        return _packer.pack(prepare(value, place(root)))  # type: ignore[no-any-return]
    except NotSerializable:
        raise
    except Exception as error:
        raise _unsendable(error, root) from error
    finally:
        met.writing = NOTHING_WANTED


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
) -> bytes:
    """The arguments of a call as bytes. ``names`` of the positional parameters make errors readable;
    ``blobs`` as for ``encode``."""
    if ATOMS.issuperset(map(type, args)) and (not kwargs or ATOMS.issuperset(map(type, kwargs.values()))):
        try:
            return _packer.pack([list(args), kwargs])  # type: ignore[no-any-return]
        except (OverflowError, UnicodeEncodeError, TypeError):
            pass
    writing = met.writing = Writing()
    writing.blobs = blobs
    try:
        positional = [
            prepare(value, place(f"argument {names[index] if index < len(names) else index}"))
            for index, value in enumerate(args)
        ]
        keywords = {
            text_for(name, place(f"the name of argument {name!r}")): prepare(value, place(f"argument {name}"))
            for name, value in kwargs.items()
        }
        return _packer.pack([positional, keywords])  # type: ignore[no-any-return]
    except NotSerializable:
        raise
    except Exception as error:
        raise _unsendable(error, "an argument") from error
    finally:
        met.writing = NOTHING_WANTED


def encode_chunk(
    items: Sequence[Any], blobs: list[Blob] | None = None, *, star: bool, first: int = 0
) -> bytes:
    """Many calls of one function as one piece of work: each item the one argument, with ``star`` all of them.

    ``first`` numbers the items in errors; ``blobs`` as for ``encode``.
    """
    style = "starmap" if star else "map"
    if star:  # an item that can be read only once is read once
        items = [item if type(item) is tuple or type(item) is list else tuple(item) for item in items]
    values: Iterable[Any] = chain.from_iterable(items) if star else items
    if ATOMS.issuperset(map(type, values)):
        try:
            plain = [list(item) for item in items] if star else list(items)
            return _packer.pack([plain, {}, style])  # type: ignore[no-any-return]
        except (OverflowError, UnicodeEncodeError):
            pass  # judged below
    writing = met.writing = Writing()
    writing.blobs = blobs
    try:
        prepared = [prepare(item, place(f"item {index}")) for index, item in enumerate(items, first)]
        return _packer.pack([prepared, {}, style])  # type: ignore[no-any-return]
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
    large sets and dicts stay lists of what is in them. ``judged``: who sent it has judged them, and is trusted to have: what
    a master has accepted can be read. ``work_max``: what such sets and dicts may come to, all together.
    """
    before, reading = met.reading, Reading()
    met.reading = reading
    if as_is:
        reading.as_is = True
    if unmade or judged or work_max is not None:
        reading.unmade, reading.judged, reading.work_left = unmade, judged, work_max
    try:
        try:
            return unpack(data)
        except DecodeError:
            raise
        except Exception:  # most likely a large map: see unpack
            reading.careful, reading.work_left = True, work_max
            return unpack(data)
    except DecodeError:
        raise
    except Exception as error:  # of msgpack, of any type's constructor, of a user's enum: it is these bytes'
        raise DecodeError(f"these bytes are not a value: {error or type(error).__name__}") from None
    finally:
        met.reading = before


def decode_call(
    data: bytes | memoryview,
    *,
    as_is: bool = False,
    unmade: bool = False,
    judged: bool = False,
    work_max: int | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in ``data``; raises DecodeError. The rest as for ``decode``."""
    value = decode(data, as_is=as_is, unmade=unmade, judged=judged, work_max=work_max)
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
    return _work(decode(data, as_is=as_is))


def _work(value: Any) -> tuple[list[Any], dict[str, Any], str | None]:
    # By types and not by a pattern, which takes ten times as long: this is done for every task.
    if type(value) is list and 2 <= len(value) <= 3 and type(value[0]) is list and type(value[1]) is dict:
        args, kwargs = value[0], value[1]
        if len(value) == 2:
            if not kwargs or all(type(name) is str for name in kwargs):
                return args, kwargs, None
        elif not kwargs and type(value[2]) is str and value[2] in ("map", "starmap"):
            return args, kwargs, value[2]
    raise DecodeError("these bytes are not the arguments of a call")


__all__ = ["NotSerializable", "decode", "decode_call", "decode_work", "encode", "encode_call", "encode_chunk"]
