"""Hides secrets in a task's arguments, result and error: values whose names look like a secret's, and passwords in URLs."""

from __future__ import annotations

import re
from typing import Any, Final

from ...common.values.secret_names import HIDDEN as HIDDEN
from ...common.values.secret_names import is_secret as is_secret

DEPTH_MAX: Final = 50
_ADDRESS: Final = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")


def redacted(value: Any, depth: int = 0) -> Any:
    """A copy with everything secret replaced, at any depth."""
    if isinstance(value, str):
        return _ADDRESS.sub(rf"\1:{HIDDEN}@", value)
    if depth >= DEPTH_MAX:
        return HIDDEN
    if isinstance(value, dict):
        return {
            name: HIDDEN if is_secret(name) and item is not None else redacted(item, depth + 1)
            for name, item in value.items()
        }
    if type(value) in (list, tuple) and len(value) == 2 and is_secret(value[0]) and value[1] is not None:
        return type(value)((value[0], HIDDEN))  # a pair, as in the list of a form's fields
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(redacted(item, depth + 1) for item in value)
    return value
