"""What an event loop calls back: an error in a callback ends what the callback belongs to, and nothing else.

An exception that leaves a callback is only logged by the loop: its connection would stay open with no deadline armed,
and whatever called on its behalf, such as the loop that answers everybody, would stop. So every method that a loop calls
is ``contained``; ``tests/house/test_callbacks.py`` looks for those that are not.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


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


def report_bug(report: Callable[..., None], error: Exception) -> None:
    """To a master's log."""
    report("master.bug", level="error", error="".join(traceback.format_exception(error)))
