"""What a child serves: the tasks of its modules, and callables it was allowed to import, from their first use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..common.callables import NamedCallable, context_parameter
from ..common.naming import load_allowed


class ServedTask(NamedTuple):
    task: NamedCallable
    context_name: str | None  # the parameter that is filled in here
    is_coroutine: bool

    @classmethod
    def of(cls, task: NamedCallable) -> ServedTask:
        is_coroutine = inspect.iscoroutinefunction(task.function)
        return cls(task, context_parameter(task.function), is_coroutine)

    def run_chunk(self, items: Sequence[Any], kwargs: Mapping[str, Any], style: str) -> Any:
        """The results of many calls; see ``codec.encode_chunk``. ``kwargs`` are the same for all."""
        function = self.task.function
        calls = items if style == "starmap" else [(item,) for item in items]
        if self.is_coroutine:
            return _one_after_the_other(function, calls, kwargs)
        return [function(*call, **kwargs) for call in calls]


class Served(dict[str, ServedTask]):
    """By name. One that is missing is imported, if a pattern of ``allow`` fits it; else Forbidden."""

    def __init__(self, tasks: Mapping[str, NamedCallable], allow: Sequence[str]) -> None:
        super().__init__({name: ServedTask.of(task) for name, task in tasks.items()})
        self._allow = allow

    def __missing__(self, name: str) -> ServedTask:
        found = self[name] = ServedTask.of(NamedCallable(name=name, function=load_allowed(name, self._allow)))
        return found


async def _one_after_the_other(function: Any, calls: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    return [await function(*call, **kwargs) for call in calls]
