"""numpy's arrays and scalars as plain parts and back. numpy is imported when there is one, and not before."""

from __future__ import annotations

import re
import sys
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


def _numpy() -> Any:
    module = sys.modules.get("numpy")
    if module is None:
        try:
            import numpy as module
        except ImportError:
            raise DecodeError("this value is a numpy array; install numpy here to read it") from None
    return module
