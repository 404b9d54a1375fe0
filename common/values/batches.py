"""Many small plain values at once: what ``codec.py`` does for one, without a call of Python for each. See ``plain.py``.

Both ways say None when there is anything else among them; each value goes its own way then, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from msgpack import unpackb

from .depth import DEPTH_MAX, is_deeper
from .packing import BUFFER_BYTES_KEPT, packers
from .plain import SMALL_BYTES_MAX, are_atoms

# A large int, text that is not Unicode, and arguments that another thread changes meanwhile.
NOT_PLAIN: Final = (OverflowError, ValueError, TypeError, RuntimeError)


def encode_plain_calls(calls: Sequence[tuple[Any, ...]]) -> list[bytes] | None:
    """The payloads of calls of positional arguments, as ``encode_call`` makes them; None unless all arguments are atoms."""
    if not are_atoms(chain.from_iterable(calls)):
        return None
    pack = packers.loose  # takes the tuple of the arguments as the list that it travels as
    try:
        payloads = [b"\x92%b\x80" % pack(arguments) for arguments in calls]  # [arguments, {}]
    except NOT_PLAIN:
        return None
    if payloads and max(map(len, payloads)) > BUFFER_BYTES_KEPT:
        packers.renew()
    return payloads


def decode_plain_values(bodies: Sequence[bytes | None]) -> list[Any] | None:
    """The values in encoded bodies; None unless all are small and without ext types, so that no code but msgpack's runs."""
    try:
        largest = max(map(len, bodies))  # type: ignore[arg-type] # without a body: a TypeError, below
        if largest > SMALL_BYTES_MAX:
            return None
        values = [unpackb(body, strict_map_key=False, ext_hook=_refuse) for body in bodies]
        return None if largest > DEPTH_MAX and is_deeper(DEPTH_MAX, values) else values
    except Exception:  # of msgpack, of many types; what is wrong is said when the value is decoded by itself
        return None


def _refuse(code: int, data: bytes) -> Any:
    raise ValueError(f"ext code {code} is not plain")
