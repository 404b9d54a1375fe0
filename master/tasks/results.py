"""What is kept of how tasks end, as their option ``result`` says. Pure.

A result that is not kept is None for everyone, also for those who waited when it came: what a program gets does not depend on
when it asks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ...common.domain.model import ResultPolicy
from ...common.values.codec import encode
from ...common.values.failure import Failure
from ...common.wire.frames import unpack

NOTHING: Final = encode(None)  # in place of a result
NOT_KEPT: Final = Failure(
    "NotKept", "its error is not kept, for it was submitted with result='none'"
).encode()
OPTIONS_KNOWN: Final = 1_000  # distinct options of which it is remembered: those of a program are few


@lru_cache(maxsize=OPTIONS_KNOWN)
def drops_results(options: bytes | None) -> bool:
    """Whether tasks with these packed options leave no result when they succeed."""
    return options is not None and unpack(options).get("result", ResultPolicy.ALL) != ResultPolicy.ALL
