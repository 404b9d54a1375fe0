"""Signals to tasks: what a call that sends one says."""

from __future__ import annotations

import os
from typing import Any, Final

from ...common.domain.steps import SIGNAL_BYTES_MAX, check_step_name
from ...common.errors import InvalidArgument
from ...common.values.codec import encode

STEPS: Final = ("get_steps",)
TOKEN_BYTES: Final = 16


def signal_arguments(id: bytes, name: str, value: Any) -> list[Any]:
    """The call is named by a token: made again after a lost connection, it has its effect once."""
    check_step_name("signal", name)
    packed = encode(value, root=f"the value of signal {name!r}")
    if len(packed) > SIGNAL_BYTES_MAX:
        raise InvalidArgument(
            f"signal {name!r} has {len(packed):,} bytes; at most {SIGNAL_BYTES_MAX:,}: send where the content is kept"
        )
    return [id, name, packed, os.urandom(TOKEN_BYTES)]
