"""Encoded arguments of calls that run in threads: their weight, number and names, validated before they are decoded.

Those of the master's own objects, which run in the engine, are plain values of the message itself: see ``methods.py``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.values.codec import WORK_MAX, decode_call, shape_of_call
from ...common.values.elements import weight

VALUE_BYTES_MAX: Final = 128 * 1024 * 1024  # of memory, for the arguments of one call
HEAVIEST: Final = 80  # bytes of memory for one byte of an encoded value, at most
# Of arguments whose number and names are validated before they are decoded
SHAPED_BYTES_MIN: Final = 64 * 1024


def check_weight(payload: bytes) -> None:
    """InvalidArgument for an encoded value that would take too much memory when decoded."""
    if len(payload) * HEAVIEST > VALUE_BYTES_MAX and (taken := weight(payload)) > VALUE_BYTES_MAX:
        raise InvalidArgument(
            f"these arguments have {len(payload):,} bytes and would take {taken:,} of memory, because they are very many "
            f"small lists, dicts or texts; at most {VALUE_BYTES_MAX:,}: send them in several calls"
        )


def foreign_arguments(
    function: Callable[..., Any], payload: bytes, slices: Sequence[Any] = ()
) -> tuple[list[Any], dict[str, Any]]:
    """The decoded arguments of a call of a user's own object, which gets sets and dicts as Python objects. Decoding blocks the
    master, so the number and names of large arguments are checked first: InvalidArgument."""
    if len(payload) > SHAPED_BYTES_MIN:
        _check_fits(function, *shape_of_call(payload))
    args, kwargs = decode_call(payload, as_is=True, work_max=WORK_MAX)
    return with_slices(args, slices), kwargs


def _check_fits(function: Callable[..., Any], count: int, names: list[str]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a C function without a signature: it checks its arguments itself
        return
    try:
        signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError as error:
        raise InvalidArgument(f"{getattr(function, '__name__', function)}: {error}") from None


def with_slices(args: list[Any], slices: Sequence[Any]) -> list[Any]:
    """The arguments, those at the indices ``slices`` as slices: they are sent as ``[start, stop, step]``, because a slice cannot
    be encoded."""
    for at in slices:
        if type(at) is not int or not 0 <= at < len(args) or not _is_slice(args[at]):
            raise InvalidArgument(f"argument {brief(at)} is not a slice: [start, stop, step]")
        args[at] = slice(*args[at])
    return args


def _is_slice(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 3
