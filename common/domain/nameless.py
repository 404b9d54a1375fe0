"""Callables of this process by which no other could import them: lambdas, nested functions, bound methods. Tasks that run in threads
of this process (``tq.local(workers="threads")``) are handed them by a number.

The number travels as the first argument. A callable is kept while tasks that call it are unfinished, and no longer.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ..errors import NotNamed

MARK: Final = "<here>."  # begins what stands for the qualname; no name of a function in a module does
NAME_CHARS_MAX: Final = 200
_UNFIT: Final = re.compile(r"[^\w.<>]+")

numbers: Final = itertools.count(1)
_lock: Final = threading.Lock()  # guards what follows
_kept: dict[int, list[Any]] = {}  # by number: the callable, and how many tasks call it


def name_for(function: Callable[..., Any]) -> str:
    """What its tasks are called in lists and logs: the same for all callables that one place in a program makes."""
    real = function.func if isinstance(function, partial) else function
    module = getattr(real, "__module__", None) or "builtins"
    qualname = getattr(real, "__qualname__", None) or type(real).__qualname__
    return f"{_UNFIT.sub('_', str(module))[-NAME_CHARS_MAX // 4 :]}:{MARK}{_UNFIT.sub('_', qualname)[-NAME_CHARS_MAX // 2 :]}"


def is_for(name: str) -> bool:
    """Whether a task of this name calls one of these."""
    return name.partition(":")[2].startswith(MARK)


def keep(number: int, function: Callable[..., Any]) -> None:
    """Before a task that calls it is sent."""
    with _lock:
        _kept.setdefault(number, [function, 0])[1] += 1


def drop(number: int) -> None:
    """After that task has ended."""
    with _lock:
        kept = _kept[number]
        kept[1] -= 1
        if not kept[1]:
            del _kept[number]


def find(number: Any) -> Callable[..., Any]:
    """The callable. Raises NotNamed when it is gone."""
    with _lock:
        kept = _kept.get(number) if type(number) is int else None
    if kept is None:
        raise NotNamed(
            "the function of this task had no name and is gone: its task had ended, and cannot be run again; submit it again"
        )
    function: Callable[..., Any] = kept[0]
    return function
