"""What a child serves: the tasks of its modules, and callables that it may import, each from its first use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from ...common.domain.callables import NamedCallable, context_parameter, named
from ...common.domain.context import Context
from ...common.domain.directives import Directive
from ...common.domain.hooks import CHILD_START, CHILD_STOP, Hooks
from ...common.domain.naming import load_allowed
from ...common.domain.probe import PROBE, probe
from ...common.domain.resources import SharedResource, asked_by, check_asked
from ...common.runtime.made_resources import MadeResources, Run
from ...common.values.annotations import TypedCall, typed_call
from ...common.values.blob import Blob
from ...common.values.codec import EACH, NotSerializable, encode
from ...common.values.failure import Failure
from .around import Around, Encoded, Why, call_hooks
from .signature import signature_of
from .together import item_of, results_of


class ServedTask(NamedTuple):
    task: NamedCallable
    filled: dict[
        str, int | None
    ]  # the parameters that a caller has nothing for: their places; None: passed by name
    context_name: str | None  # the one of them that receives the Context
    is_coroutine: bool
    plain: Callable[..., Any] | None  # the function, if nothing is to do but to call it
    around: Around | None  # what its program has run around it
    typed: TypedCall | None  # what its annotations make of its arguments and its result
    asked: dict[str, SharedResource[Any]]  # the parameters that receive resources
    made: MadeResources
    together: int = 1  # how many calls run as one

    @classmethod
    def of(cls, task: NamedCallable, made: MadeResources) -> ServedTask:
        """``made``: the resources of the child."""
        function = task.function
        name, asked = context_parameter(function), asked_by(function, task.name)
        is_coroutine = inspect.iscoroutinefunction(function)
        check_asked(asked, task.name, is_coroutine=is_coroutine)
        filled = _places(function, {*asked, *([] if name is None else [name])})
        around = None
        if task.hooks is not None and task.hooks.has_around_tasks:
            around = Around(task.hooks, is_coroutine=is_coroutine, encode=encode_result)
        typed = typed_call(function, filled)
        coalesce = task.terms.coalesce
        # The loop calls such a function directly: nothing of what follows costs it anything.
        is_plain = not filled and not is_coroutine and around is None and typed is None and coalesce is None
        plain = function if is_plain else None
        together = 1 if coalesce is None else coalesce.calls
        return cls(task, filled, name, is_coroutine, plain, around, typed, asked, made, together)

    def perform(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        style: str | None,
        make_context: Callable[[], Context | None],
        why: Why | None = None,
    ) -> Any:
        """Run one job, with all that belongs around it. ``style``: of many calls, see ``run_chunk``. What is to be sent, or a
        coroutine of that; see ``is_coroutine``. ``why``: what the coroutine was asked to end by, when it was cancelled."""
        # A context takes longer to make than a short task to run.
        has_none = self.context_name is None and self.around is None
        context = None if has_none else make_context()
        if self.around is None:
            return self._call(args, kwargs, style, context)

        def call() -> Any:
            return self._call(args, kwargs, style, context)

        if self.is_coroutine:
            return self.around.run_coroutine(call, style, context, why)
        return self.around.run(call, style, context)

    def _call(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], style: str | None, context: Context | None
    ) -> Any:
        if style is None:
            return self.run(args, kwargs, context)
        return self.run_chunk(args, style, context)

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: Any) -> Any:
        """Call it with arguments as they were sent; what it returns is as it is sent."""
        # It gets a list, also of one: an attempt that is tried again runs by itself.
        if self.together > 1:
            return self._run_alone(args, kwargs)
        if self.typed is None:
            return self._run(args, kwargs, context)
        value = self._run(*self.typed.received(args, kwargs), context)
        return self._sent_later(value) if self.is_coroutine else self.typed.sent_result(value)

    def _run_alone(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """One call of a function that gets a list, by itself."""
        [result] = self.run_list([item_of(args, kwargs)])
        if isinstance(result, BaseException):
            raise result
        return result

    def run_list(self, items: list[Any]) -> Sequence[Any]:
        """What the function returns for many calls at once."""
        return results_of(self.task.name, lambda given: self._run((given,), {}, None), items)

    def perform_once(self, call: Callable[[], None], make_context: Callable[[], Context | None]) -> None:
        """``call``, with what belongs around it, once for all calls that run as one."""
        if self.around is None:
            call()
        else:
            self.around.run(call, None, make_context())

    async def _sent_later(self, coroutine: Any) -> Any:
        value = await coroutine
        return value if self.typed is None else self.typed.sent_result(value)

    def _run(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: Any) -> Any:
        """Call it with the context and the resources in their places: the arguments of a caller have none for them."""
        if not self.filled:
            return self.task.function(*args, **kwargs)
        if not self.asked:
            return self._run_filled(args, kwargs, {str(self.context_name): context})
        # A client's value in its place would be used as a connection or a model.
        if sent := self.asked.keys() & kwargs.keys():
            raise TypeError(
                f"{self.task.name}: {min(sent)} is a resource, which the worker makes; leave it out"
            )
        if self.is_coroutine:
            return self._run_with_resources(args, kwargs, context)
        return self._run_filled(args, kwargs, self._with_context(self.made.given(self.asked), context))

    async def _run_with_resources(self, args: Sequence[Any], kwargs: Mapping[str, Any], context: Any) -> Any:
        given = await self.made.given_to_coroutine(self.asked)
        return await self._run_filled(args, kwargs, self._with_context(given, context))

    def _with_context(self, given: dict[str, Any], context: Any) -> dict[str, Any]:
        return given if self.context_name is None else {**given, self.context_name: context}

    def _run_filled(self, args: Sequence[Any], kwargs: Mapping[str, Any], given: dict[str, Any]) -> Any:
        all_args, by_name = list(args), dict(kwargs)
        for name, place in self.filled.items():
            # By place if arguments follow it: the caller's list has no gap for it.
            if place is not None and len(all_args) > place:
                all_args.insert(place, given[name])
            else:
                by_name[name] = given[name]
        return self.task.function(*all_args, **by_name)

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
        # ``extend`` keeps what came before the error, and the map goes on behind it.
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


def _places(function: Callable[..., Any], names: set[str]) -> dict[str, int | None]:
    """Of these parameters, in their order."""
    if not names:
        return {}
    parameters = inspect.signature(function).parameters.values()
    return {
        one.name: at if one.kind is one.POSITIONAL_OR_KEYWORD else None
        for at, one in enumerate(parameters)
        if one.name in names
    }


def _own_failure(error: Exception) -> bytes:
    """The failure of one call of many. What directs the task's fate is raised: a chunk is one task."""
    if issubclass(type(error), Directive):
        raise error
    return Failure.of(error).encode()


def encode_result(value: Any, style: str | None, blobs: list[Blob]) -> bytes:
    """Of many calls, each with its own result, one that cannot be sent is a failure of its own."""
    if type(value) is Encoded:
        blobs += value.blobs
        return value.body
    try:
        return encode(value, root="result", blobs=blobs)
    except NotSerializable:
        if style != EACH:
            raise
    # What the encoder had met before it failed is met again below.
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
        self.resources = MadeResources()
        super().__init__({name: self.served(task) for name, task in tasks.items()})
        self._allow, self._imported = allow, imported
        self._started: list[Hooks] = []

    def served(self, task: NamedCallable) -> ServedTask:
        return ServedTask.of(task, self.resources)

    def described(self) -> list[list[Any]]:
        """``[name, queue, [[name, definition] of each schedule], is it a coroutine function, how many calls run as one, its signature]`` of each
        task."""
        return [
            [
                name,
                served.task.queue,
                [[one.name, one.definition.to_wire()] for one in served.task.schedules],
                served.is_coroutine,
                served.together,
                signature_of(served.task.function, served.filled, of_many=served.together > 1),
            ]
            for name, served in self.items()
        ]

    def start(self, *some: ServedTask) -> None:
        """Call what the Apps of these tasks have for the start of a child, once for each App. By default of all tasks."""
        for served in some or self.values():
            hooks = served.task.hooks
            if hooks is not None and hooks not in self._started:
                self._started.append(hooks)
                call_hooks(hooks.of(CHILD_START))

    def stop(self, run: Run) -> None:
        """Close the resources, then call what these Apps have for its end. ``run``: a coroutine in the loop of the tasks."""
        self.resources.close(run)
        for hooks in reversed(self._started):
            call_hooks(hooks.of(CHILD_STOP))

    def __missing__(self, name: str) -> ServedTask:
        # Not kept: it is the worker's own, and described to no master.
        if name == PROBE:
            return self.served(NamedCallable(name=PROBE, function=probe))
        found = self[name] = self.served(named(name, load_allowed(name, self._allow)))
        # Before its first task, as for those that were loaded at the start.
        self.start(found)
        self._imported()
        return found
