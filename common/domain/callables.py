"""A task as its definition: a function, the name others call it by, where it runs and how.

What offers tasks to a worker carries one of two attributes, and a worker looks for nothing else:
``__tq_task__`` (a NamedCallable: one task) or ``__tq_tasks__`` (a mapping by name: an app's tasks).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .context import Context
from .hooks import Hooks
from .lane_terms import NO_TERMS, LaneTerms
from .model import TaskOptions
from .on_full import WAIT
from .unique import Unique

if TYPE_CHECKING:
    from .schedule import DeclaredSchedule


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedCallable:
    name: str
    function: Callable[..., Any]
    queue: str = "default"
    options: TaskOptions = field(default_factory=TaskOptions)
    schedules: tuple[DeclaredSchedule, ...] = ()  # what a worker that serves it declares
    hooks: Hooks | None = None  # of its App
    terms: LaneTerms = NO_TERMS
    unique: Unique | None = None
    is_cached: bool = False  # ``unique`` was given as ``cache``
    on_full: str = WAIT
    indexed: tuple[str, ...] = ()  # parameters whose arguments are tags of its tasks


def named(name: str, function: Callable[..., Any]) -> NamedCallable:
    """One function, a task or not, under the name that it was asked for by."""
    task = getattr(function, "__tq_task__", None)
    if isinstance(task, NamedCallable):
        return replace(task, name=name, schedules=())  # those are of the task by its own name
    return NamedCallable(name=name, function=function)


def offered(namespace: Mapping[str, Any]) -> Iterator[NamedCallable]:
    """The tasks in a module's namespace."""
    for thing in list(namespace.values()):
        one = getattr(thing, "__tq_task__", None)
        if isinstance(one, NamedCallable):
            yield one
        many = getattr(thing, "__tq_tasks__", None)
        if isinstance(many, Mapping):
            yield from (task for task in many.values() if isinstance(task, NamedCallable))


def context_parameter(function: Callable[..., Any]) -> str | None:
    """The parameter annotated with Context, which is filled in where the task runs; None if there is none."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    for parameter in parameters:
        note = parameter.annotation
        if note is Context or (isinstance(note, str) and note.strip("'\" ").rpartition(".")[2] == "Context"):
            return parameter.name
    return None
