"""What an event loop calls back: an error in a callback ends what the callback belongs to, and nothing else.

An exception that leaves a callback is only logged by the loop: its connection would stay open with no deadline armed,
and whatever called on its behalf, such as the loop that answers everybody, would stop. So every method that a loop calls
is ``contained``; ``tests/house/test_callbacks.py`` looks for those that are not.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from ..values.brief import brief

MASTER, WORKER = "master", "worker"
OUT_OF_MEMORY: Final = (
    "the master has no more memory; what was asked for is not done. Give its host or its control group more (MemoryMax=, "
    "docker --memory), or look for what fills it with `tq top`"
)


class Breakable(Protocol):
    """Something with one way out."""

    def broke(self, error: Exception) -> Any:
        """End it at once, and tell its owner why. Raises nothing, and does nothing when it has ended."""


_B = TypeVar("_B", bound=Breakable)
_P = ParamSpec("_P")


def contained(callback: Callable[Concatenate[_B, _P], None]) -> Callable[Concatenate[_B, _P], None]:
    """A method that a loop, or another session's work, may call: what it raises breaks ``self`` only."""

    @wraps(callback)
    def run(self: _B, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            callback(self, *args, **kwargs)
        except Exception as error:
            self.broke(error)

    return run


def report_bug(report: Callable[..., None], error: BaseException, program: str = MASTER) -> str:
    """Log an exception that was not expected, as what it is, and return the words for its callers. A lack of memory is
    no bug of tq."""
    if isinstance(error, MemoryError):
        report(f"{program}.out_of_memory", level="error")
    else:
        report(f"{program}.bug", level="error", error="".join(traceback.format_exception(error)))
    return words_of(error, program)


def words_of(error: BaseException, program: str = MASTER) -> str:
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY if program == MASTER else f"the {program} has no more memory"
    return f"the {program} has a bug: {brief(error, 200)}; its log says more"
