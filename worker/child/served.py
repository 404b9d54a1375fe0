"""What a child serves: the tasks of its modules, and callables that it may import, each from its first use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from ...common.domain.callables import NamedCallable, context_parameter, named
from ...common.domain.directives import Directive
from ...common.domain.naming import load_allowed
from ...common.domain.probe import PROBE, probe
from ...common.values.blob import Blob
from ...common.values.codec import EACH, NotSerializable, encode
from ...common.values.failure import Failure


class ServedTask(NamedTuple):
    task: NamedCallable
    context_name: str | None  # the parameter that receives the Context
    context_at: int | None  # its place among the positional ones; None: it is passed by name
    is_coroutine: bool
    plain: Callable[..., Any] | None  # the function, if nothing is to do but to call it

    @classmethod
    def of(cls, task: NamedCallable) -> ServedTask:
        function = task.function
        name, place = context_parameter(function), None
        if name is not None:
            parameters = list(inspect.signature(function).parameters.values())
            index = next(at for at, one in enumerate(parameters) if one.name == name)
            positional = parameters[index].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            place = index if positional else None
        is_coroutine = inspect.iscoroutinefunction(function)
        plain = function if name is None and not is_coroutine else None
        return cls(task, name, place, is_coroutine, plain)

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: Any) -> Any:
        """Call it with the context in its place: the arguments of a caller have none for it."""
        if self.context_name is None:
            return self.task.function(*args, **kwargs)
        if self.context_at is not None and len(args) > self.context_at:
            args = [*args[: self.context_at], context, *args[self.context_at :]]
            return self.task.function(*args, **kwargs)
        return self.task.function(*args, **{**kwargs, self.context_name: context})

    def run_chunk(self, items: Sequence[Any], style: str, context: Any) -> Any:
        """The results of many calls; see ``codec.encode_chunk``."""
        if style == EACH:
            return self._each_later(items, context) if self.is_coroutine else self._each(items, context)
        if self.plain is not None:
            return list(map(self.plain, items) if style == "map" else starmap(self.plain, items))
        calls = items if style == "starmap" else [(item,) for item in items]
        if self.is_coroutine:
            return self._one_after_the_other(calls, context)
        return [self.run(call, {}, context) for call in calls]

    async def _one_after_the_other(self, calls: Sequence[Any], context: Any) -> list[Any]:
        return [await self.run(call, {}, context) for call in calls]

    def _each(self, items: Sequence[Any], context: Any) -> list[Any]:
        """``[results, [[place, failure], …]]``: what a call raises is its own, and the others go on."""
        call = self.plain or (lambda item: self.run((item,), {}, context))
        results: list[Any] = []
        failures: list[list[Any]] = []
        calls = map(call, items)
        while len(results) < len(items):
            try:
                results.extend(calls)
                if len(results) < len(items):  # a call raised StopIteration, which ends what reads a map
                    raise StopIteration
            except Exception as error:
                failures.append([len(results), _own_failure(error)])
                results.append(None)
        return [results, failures]

    async def _each_later(self, items: Sequence[Any], context: Any) -> list[Any]:
        results: list[Any] = []
        failures: list[list[Any]] = []
        for item in items:
            try:
                results.append(await self.run((item,), {}, context))
            except Exception as error:
                failures.append([len(results), _own_failure(error)])
                results.append(None)
        return [results, failures]


def _own_failure(error: Exception) -> bytes:
    """The failure of one call of many. What directs the task's fate is raised: a chunk is one task."""
    if issubclass(type(error), Directive):
        raise error
    return Failure.of(error).encode()


def encode_result(value: Any, style: str | None, blobs: list[Blob]) -> bytes:
    """Of many calls, each with its own result, one that cannot be sent is a failure of its own."""
    try:
        return encode(value, root="result", blobs=blobs)
    except NotSerializable:
        if style != EACH:
            raise
    blobs.clear()
    results, failures = value
    for place, one in enumerate(results):
        try:
            encode(one, root="result", blobs=[])
        except NotSerializable as error:
            failures.append([place, Failure.of(error).encode()])
            results[place] = None
    return encode(value, root="result", blobs=blobs)


class ServedTasks(dict[str, ServedTask]):
    """By name. A missing one is imported if a pattern of ``allow`` matches its name; else Forbidden is raised."""

    def __init__(
        self, tasks: Mapping[str, NamedCallable], allow: Sequence[str], imported: Callable[[], object]
    ) -> None:
        """``imported``: called when a callable was imported for a task, before the task begins."""
        super().__init__({name: ServedTask.of(task) for name, task in tasks.items()})
        self._allow, self._imported = allow, imported

    def described(self) -> list[list[Any]]:
        """``[name, queue, [[name, definition] of each schedule]]`` of each task."""
        return [
            [name, served.task.queue, [[one.name, one.definition.to_wire()] for one in served.task.schedules]]
            for name, served in self.items()
        ]

    def __missing__(self, name: str) -> ServedTask:
        if name == PROBE:
            return ServedTask.of(NamedCallable(name=PROBE, function=probe))
        found = self[name] = ServedTask.of(named(name, load_allowed(name, self._allow)))
        self._imported()
        return found
