"""Arrays as plain parts and back: numpy's, with its scalars, and those of the module ``array``. numpy is imported when there is one,
and not before."""

from __future__ import annotations

import re
import sys
from array import array
from typing import Any, Final

from ..errors import DecodeError
from .brief import brief

# What numpy calls the types of plain numbers, texts and times: read by this, never by numpy's own parser of dtypes.
DTYPE: Final = re.compile(
    r"[<>|](?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SUV]\d{1,9}"
    r"|[Mm]8(?:\[(?:[1-9]\d{0,8})?(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?)"
)


def is_plain(dtype: Any) -> bool:
    """Whether arrays of it come back as they were: its name says all of it."""
    return DTYPE.fullmatch(dtype.str) is not None and bool(dtype == _numpy().dtype(dtype.str))


def read_array(dtype: Any, shape: Any, data: Any) -> Any:
    return _numpy().frombuffer(data, dtype=_dtype(dtype)).reshape(shape).copy()


def read_scalar(dtype: Any, data: Any) -> Any:
    kind = _dtype(dtype)
    if not kind.itemsize:  # text without a character, which numpy reads from nothing
        return kind.type()
    return _numpy().frombuffer(data, dtype=kind, count=1)[0]


def _dtype(text: Any) -> Any:
    if type(text) is not str or not DTYPE.fullmatch(text):
        raise DecodeError(f"{brief(text, 80)} is not the dtype of plain numbers, texts or times")
    return _numpy().dtype(text)


INTEGERS: Final = ("bhilq", "BHILQ")  # type codes of the module ``array``: signed, unsigned
FLOATS: Final = "fd"
CHARACTERS: Final = "uw"


def machine_parts(value: array[Any]) -> list[Any]:
    """Of an array of the module ``array``: type code, size of an element, the elements in little-endian order. Characters are text."""
    if value.typecode in CHARACTERS:
        return [value.typecode, 0, value.tounicode()]
    if sys.byteorder == "big":
        value = value[:]
        value.byteswap()
    return [value.typecode, value.itemsize, value.tobytes()]


def read_machine(typecode: Any, size: Any, data: Any) -> array[Any]:
    """The inverse. Raises DecodeError, or whatever the array raises for what is none."""
    kinds = next(
        (kinds for kinds in (*INTEGERS, FLOATS, CHARACTERS) if type(typecode) is str and typecode in kinds),
        "",
    )
    if len(str(typecode)) != 1 or not kinds or type(data) is not (str if kinds == CHARACTERS else bytes):
        raise DecodeError(f"{brief(typecode, 80)} is no type code of an array")
    if kinds == CHARACTERS:
        return array(typecode, data)
    sent = next((kind for kind in (typecode, *kinds) if array(kind).itemsize == size), None)
    if sent is None:
        raise DecodeError(f"an array of {brief(typecode, 80)} with {brief(size, 80)} bytes for each element")
    read: array[Any] = array(sent, data)
    if sys.byteorder == "big":
        read.byteswap()
    return (
        read if sent == typecode else array(typecode, read)
    )  # a long has 4 bytes in some places, 8 in others


def _numpy() -> Any:
    module = sys.modules.get("numpy")
    if module is None:
        try:
            import numpy as module
        except ImportError:
            raise DecodeError("this value is a numpy array; install numpy here to read it") from None
    return module
