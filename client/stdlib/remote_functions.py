"""Functions that are sent to workers: name, options, and whether a connected worker would run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from ...common.contract.rows import from_wire
from ...common.contract.workers import Serving
from ...common.domain import nameless
from ...common.domain.callables import NamedCallable
from ...common.domain.context import is_importing
from ...common.domain.shards import is_spread
from ...common.errors import Forbidden, InvalidArgument, NotNamed, TqError
from ...common.values.codec import encode_call, encode_chunk
from ..tasks.definition import Definition
from ..tasks.indexed import ArgumentIndex
from ..tasks.kinds import TaskKind, TaskKinds
from ..tasks.lane_keys import LaneKeys
from ..tasks.options import Choice, choose
from ..tasks.spreading import placed_in_turn
from .exceptions import as_broken_cluster, no_worker_runs

if TYPE_CHECKING:
    from ...common.values.blob import Blob
    from ..core.session import ClientSession


class RemoteFunction:
    """One callable with the options of its tasks. ``number``: by which threads of this process find it, if it has no name."""

    def __init__(
        self,
        definition: Definition,
        kind: TaskKind,
        number: int | None = None,
        kind_of: Callable[[tuple[Any, ...], Mapping[str, Any]], TaskKind] | None = None,
    ) -> None:
        """``kind_of``: of a call, if the keys of its limits depend on its arguments."""
        self._kind_of = kind_of
        self.kind, self.function, self.number = kind, definition.function, number
        self.received: Callable[[Any], Any] | None = None  # makes a result of plain data
        try:
            self._arguments = definition.arguments
            self.received = definition.received
        except ValueError:  # a builtin without a signature: the worker checks the arguments
            self._arguments = None

    def received_of(self, *, chunked: bool) -> Callable[[Any], Any] | None:
        """What makes a result, or those of many calls."""
        one = self.received
        if one is None or not chunked:
            return one
        return lambda results: list(map(one, results))

    @property
    def is_of_each_call(self) -> bool:
        """Whether each call is a task that waits by its own arguments: several cannot be one task."""
        return self._kind_of is not None or bool(self.kind.choice.terms.limits)

    def for_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RemoteFunction:
        """The function as this call of it is submitted. Raises InvalidArgument for arguments that give no key."""
        if self._kind_of is None:
            return self
        found = copy(self)
        found.kind, found._kind_of = self._kind_of(args, kwargs), None
        return found

    def payload(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], blobs: list[Blob]) -> bytes:
        """The encoded call. Raises TypeError for arguments that do not fit, NotSerializable for a value that cannot be sent.
        Blobs among the arguments are appended to ``blobs``."""
        names: Sequence[str] = ()
        if self._arguments is not None:
            args, kwargs = self._arguments.fit(args, dict(kwargs))
            names = self._arguments.names
        if self.number is not None:
            args, names = (self.number, *args), ("number", *names)
        return encode_call(args, kwargs, names, blobs)

    def chunk(
        self, items: Sequence[Any], blobs: list[Blob], *, star: bool, first: int, each: bool = False
    ) -> bytes:
        """Many calls, encoded: see ``encode_chunk``."""
        typed = None if self._arguments is None else self._arguments.typed
        if typed is not None and typed.is_of_args:
            calls = [typed.sent(tuple(item) if star else (item,), {})[0] for item in items]
            items = calls if star else [call[0] for call in calls]
        if self.number is not None:
            items, first = [(self.number,) if star else self.number, *items], first - 1
        return encode_chunk(items, blobs, star=star, first=first, each=each)


class RemoteFunctions:
    """The functions of an Executor or Pool, each validated at its first use."""

    def __init__(
        self, session: ClientSession, options: Mapping[str, Any], *, joins_calls: bool = False
    ) -> None:
        """``joins_calls``: several calls may become one task."""
        self._session, self._options, self._joins_calls = session, options, joins_calls
        self._choice = choose(options)
        self._check(self._choice, "these options")
        self._known: dict[Callable[..., Any], RemoteFunction] = {}
        # The workers are threads of this process, and no other will run what is unfinished
        self.are_here = False
        self.why_names = ""  # added to the refusal of a callable without one

    def of(self, function: Callable[..., Any]) -> RemoteFunction:
        """The remote function. Raises TypeError for a value that is not callable, NotNamed for a function without a name,
        and Forbidden when workers are connected and none of them would run it. With no worker connected, tasks wait.
        """
        try:
            known = self._known.get(function)
        except TypeError:  # it has no hash
            return self._validated(function)
        if known is None:
            known = self._validated(function)
            if known.number is None:  # a loop may make a lambda in each turn
                self._known[function] = known
        return known

    def _validated(self, function: Callable[..., Any]) -> RemoteFunction:
        if not callable(function):
            raise TypeError(f"{function!r:.80} is not callable")
        offer = getattr(function, "__tq_task__", None)
        if isinstance(offer, NamedCallable):
            definition = Definition(offer.function, offer.name)
            choice = choose(self._options, Choice.of(offer))
        else:
            definition, choice = Definition(function, None), self._choice
        self._check(choice, f"{getattr(function, '__name__', function)!s:.80}")
        try:
            name, queue = definition.name, choice.queue
        except NotNamed as error:
            if not self.are_here:
                raise NotNamed(f"{error}{self.why_names}") from None
            kind = self._kind(nameless.name_for(function), choice)
            return RemoteFunction(
                definition, kind, next(nameless.numbers), self._kind_of(kind.name, definition, choice)
            )
        if is_importing():
            raise RuntimeError(
                "a worker imports this module to run its functions, and the import submits work; "
                "put what starts the work under `if __name__ == '__main__':`"
            )
        try:
            serving = from_wire(Serving, self._session.ask(("get_workers",), "serving", queue, name))
        except TqError as error:
            raise as_broken_cluster(error) from error
        if serving.connected and not serving.able:
            raise Forbidden(no_worker_runs(name, queue, serving.connected))
        kind = self._kind(name, choice)
        return RemoteFunction(definition, kind, kind_of=self._kind_of(name, definition, choice))

    def _kind_of(
        self, name: str, definition: Definition, choice: Choice
    ) -> Callable[[tuple[Any, ...], Mapping[str, Any]], TaskKind] | None:
        """What finds the kind of each call; None: all are of one."""
        if choice.columns is not None and not choice.indexed and not is_spread(choice.queue):
            return None
        keys = None if choice.columns is not None else LaneKeys(choice.terms, definition)
        index = ArgumentIndex(choice.indexed, definition)

        def kind_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TaskKind:
            of_call = choice if keys is None else choice._replace(columns=keys.of_call(args, kwargs))
            return self._kind(name, index.of_call(of_call, args, kwargs))

        return kind_of

    def _kind(self, name: str, choice: Choice) -> TaskKind:
        return placed_in_turn(self._session, self._session.part(TaskKinds).of(name, choice))

    def _check(self, choice: Choice, what: str) -> None:
        """Refuse what a submit of tasks by themselves would do, and this would leave out in silence."""
        if choice.unique is not None:
            option, cls = (
                "cache" if choice.is_cached else "unique",
                "Pool" if self._joins_calls else "Executor",
            )
            raise InvalidArgument(
                f"{what}: {option}= may give the task of another call, and each call of a tq.{cls} has a task of its own; use "
                f"task.submit or task.map, or have none of it here: tq.{cls}(…, {option}=None)"
            )
        if self._joins_calls and (choice.terms.limits or choice.columns is None):
            raise InvalidArgument(
                "a Pool makes one task of many calls, and limits= or an expression in tenant= are of each call; use "
                "task.map, or tq.Executor"
            )
