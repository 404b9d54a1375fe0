"""What to send in place of a value that cannot be sent: the line of a refusal that helps. Pure."""

from __future__ import annotations

import sys
from typing import Any

MADE_THERE = "it belongs to this process: send what it was made from, and make it where it is used"
_LOCKS = ("_thread", "threading", "multiprocessing.synchronize", "asyncio.locks")


def remedy(value: Any) -> str:
    """For a value of a kind that the codec does not have."""
    kind = type(value)
    own = getattr(kind, "_tq_remedy", None)  # asked of the class, as its reference is
    if own is not None:
        return str(own)
    if isinstance(value, (bytearray, memoryview)):
        return "send bytes(value)"
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return "send dataclasses.asdict(value), or its fields as arguments"
    for plain in (str, bytes, int, float, list, tuple, dict, set):
        if isinstance(value, plain):
            return f"subclasses lose their type on the way: send {plain.__name__}(value)"
    if kind.__module__ in _LOCKS and hasattr(value, "acquire"):
        return "send its name, and use a tq.Lock of that name on both sides"
    if hasattr(value, "read") or hasattr(value, "write"):
        return "send its path as a pathlib.Path if both hosts have the file, else its content as a tq.Blob"
    if hasattr(kind, "__await__"):
        return "await it, and send what that gives"
    if hasattr(kind, "result") and callable(kind.result):
        return "wait for it, and send what its result() gives"
    if hasattr(value, "__next__"):
        return "send list(value)"
    if callable(value):
        return "send its name, 'module:function', and look it up in the task"
    if kind.__name__ in ("SimpleNamespace", "Namespace"):
        return "send vars(value)"
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names:
        return MADE_THERE
    return "send a dict of its fields"
