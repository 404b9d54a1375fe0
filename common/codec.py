"""Values as bytes and back: arguments, results, items. Exact types or a refusal; never code, never pickle.

The wire form is msgpack. What msgpack knows by itself (None, bool, 64-bit int, float, str, bytes, list,
dict) travels as it is; the rest stands in ext types (``values.py``). A value comes back with the type
it had, bit for bit, or it is refused where it is sent, with the path to the bad part::

    argument items[3].when: a Thing cannot be sent; send a dict of its fields

Subclasses are refused, not flattened: nobody gets back less than was sent. The usual call (a few plain
arguments) never leaves C code but for two look-ups.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import msgpack

from .blob import Blob
from .errors import DecodeError, NotSerializable
from .places import place
from .values import ATOMS, decode_ext, met, prepare

DECODE_ITEMS_MAX: Final = 16 * 1024 * 1024  # elements of one container; the frame limit binds earlier


class _PackerOfThread(threading.local):
    """msgpack's Packer is not thread-safe, and making one costs more than packing a small value."""

    def __init__(self) -> None:
        self.pack = msgpack.Packer(autoreset=True, use_bin_type=True, strict_types=True).pack


_packer = _PackerOfThread()


def encode(
    value: object, *, root: str = "value", blobs: list[Blob] | None = None, must_stay: bool = False
) -> bytes:
    """A value as bytes. Raises NotSerializable with the path below ``root``.

    ``blobs`` gets the blobs there are in it, whose content the caller sees to; without, they are refused. ``must_stay``: so
    are references to what goes with a program.
    """
    if type(value) in ATOMS or (type(value) is list and ATOMS.issuperset(map(type, value))):
        try:
            return _packer.pack(value)  # type: ignore[no-any-return]
        except (OverflowError, UnicodeEncodeError):
            pass  # a large int, or text that is not Unicode: judged below
    met.blobs, met.must_stay = blobs, must_stay
    try:
        return _packer.pack(prepare(value, place(root)))  # type: ignore[no-any-return]
    finally:
        met.blobs, met.must_stay = None, False


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
    met.blobs = blobs
    try:
        positional = [
            prepare(value, place(f"argument {names[index] if index < len(names) else index}"))
            for index, value in enumerate(args)
        ]
        keywords = {name: prepare(value, place(f"argument {name}")) for name, value in kwargs.items()}
    finally:
        met.blobs = None
    return _packer.pack([positional, keywords])  # type: ignore[no-any-return]


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
    met.blobs = blobs
    try:
        prepared = [prepare(item, place(f"item {index}")) for index, item in enumerate(items, first)]
    finally:
        met.blobs = None
    return _packer.pack([prepared, {}, style])  # type: ignore[no-any-return]


def decode(data: bytes | memoryview, *, as_is: bool = False) -> Any:
    """The value in ``data``; raises DecodeError for anything else, whatever it is.

    ``as_is``: proxies in it stay the references that they travel as: for who keeps values, and does not use them.
    """
    before, met.as_is = met.as_is, as_is
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            ext_hook=decode_ext,
            max_array_len=DECODE_ITEMS_MAX,
            max_map_len=DECODE_ITEMS_MAX,
        )
    except DecodeError:
        raise
    except (ValueError, TypeError, OverflowError, ArithmeticError, RecursionError, LookupError) as error:
        raise DecodeError(f"these bytes are not a value: {error or type(error).__name__}") from None
    except msgpack.UnpackException as error:
        raise DecodeError(f"these bytes are not a value: {error or type(error).__name__}") from None
    finally:
        met.as_is = before


def decode_call(data: bytes | memoryview, *, as_is: bool = False) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in ``data``; raises DecodeError. ``as_is`` as for ``decode``."""
    args, kwargs, style = decode_work(data, as_is=as_is)
    if style is not None:
        raise DecodeError("these bytes are many calls, not one")
    return args, kwargs


def decode_work(
    data: bytes | memoryview, *, as_is: bool = False
) -> tuple[list[Any], dict[str, Any], str | None]:
    """A call's arguments and None, or the items of a chunk and how each is passed; raises DecodeError."""
    match decode(data, as_is=as_is):
        case [list(args), dict(kwargs)] if not kwargs or all(type(name) is str for name in kwargs):
            return args, kwargs, None
        case [list(items), dict(kwargs), "map" | "starmap" as style] if not kwargs:
            return items, kwargs, style
    raise DecodeError("these bytes are not the arguments of a call")


__all__ = ["NotSerializable", "decode", "decode_call", "decode_work", "encode", "encode_call", "encode_chunk"]
