"""Whether a call fits a function, checked at the submit: a call that does not fit raises TypeError there.

The worker fills in the parameter annotated ``tq.Context``, and those whose default is ``tq.resource(…)``, so they are left out here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ...common.domain.callables import context_parameter
from ...common.domain.resources import SharedResource, asked_by, check_resources
from ...common.errors import InvalidArgument
from ...common.values.annotations import TypedCall, may_be_typed, typed_call

Call = tuple[tuple[Any, ...], dict[str, Any]]


def check_function(function: Callable[..., Any]) -> None:
    """Raises InvalidArgument for a function that cannot be a task as it is written. Annotations are read again at its first submit:
    classes may stand below it."""
    check_resources(function)
    if may_be_typed(function):
        typed_call(function, filled_parameters(function), refuse_ambiguous=True)


def check_gets_list(function: Callable[..., Any]) -> None:
    """Raises InvalidArgument for a function that cannot be called with a list of many calls' arguments (``coalesce=``)."""
    arguments = Arguments(function)
    name, parameters = arguments.function_name, arguments.parameters
    if inspect.iscoroutinefunction(function):
        raise InvalidArgument(
            f"coalesce= is for functions, and {name} is a coroutine: many of those run at once by themselves; write def {name}(…)"
        )
    if arguments.context is not None:
        raise InvalidArgument(
            f"coalesce=: {name} is called once for many tasks, so it has no {arguments.context}: tq.Context; leave that out"
        )
    if len(parameters) != 1 or len(arguments.names) != 1:
        has = ", ".join(parameters) if parameters else "none"
        raise InvalidArgument(
            f"coalesce=: {name} is called with one list, of the argument of each call, and its parameters are {has}; write "
            f"def {name}(items: list) and submit one tuple or dict for each call"
        )
    if arguments.typed is not None:
        raise InvalidArgument(
            f"coalesce=: {name} gets plain values, and its annotation makes others of them; write def {name}({arguments.names[0]}: list)"
        )


def filled_parameters(function: Callable[..., Any]) -> set[str]:
    """Those that a worker fills in."""
    context = context_parameter(function)
    return {*asked_by(function, ""), *([] if context is None else [context])}


class Arguments:
    """The parameters of a function. ``names``: its positional parameters, for readable errors."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function_name = getattr(function, "__qualname__", type(function).__name__)
        self.context = context_parameter(function)
        self.asked = asked_by(function, self.function_name)
        filled = {*self.asked, *([] if self.context is None else [self.context])}
        self._whole = inspect.signature(function)
        parameters = [one for one in self._whole.parameters.values() if one.name not in filled]
        self._signature = self._whole.replace(parameters=parameters)
        # Where it is called as a function, a resource may be given.
        here = [one for one in self._whole.parameters.values() if one.name != self.context]
        self._here = self._whole.replace(parameters=here)
        positional = [
            one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
        self.names = tuple(one.name for one in positional)
        self._needed = sum(one.default is one.empty for one in positional)
        self._before = list(self._whole.parameters)[: self._first_filled(filled)]
        self._function, self._filled = function, filled

    @functools.cached_property
    def typed(self) -> TypedCall | None:
        """What its annotations say. They are read for the first call: classes may stand below the function."""
        return typed_call(self._function, self._filled)

    @functools.cached_property
    def _accepted(self) -> int:
        """The number of positional arguments that fit without ``bind``: -1 when positional arguments alone cannot suffice, and none
        after a parameter that the worker fills in, because it does so by name."""
        parameters = self._signature.parameters.values()
        is_named = any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters)
        if is_named or (self.typed is not None and self.typed.is_of_args):
            return -1
        return len(self._before) if self._filled else len(self.names)

    def names_and_defaults(self) -> dict[str, Any]:
        """The parameters that have one value each, by name, with their defaults; ``inspect.Parameter.empty``: it has none."""
        collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {
            one.name: one.default for one in self._signature.parameters.values() if one.kind not in collecting
        }

    def fit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The call in the form in which it is sent; raises TypeError as calling the function would, and InvalidArgument for a value that
        does not fit its annotation.

        Hot path: a call with positional arguments only costs two comparisons.
        """
        # ``bind`` takes longer than encoding the call.
        if not kwargs and self._needed <= len(args) <= self._accepted:
            return args, kwargs
        bound = self._bound(self._signature, (args, kwargs))
        if self._filled and len(args) > len(self._before):
            args, kwargs = self._named_behind_filled(bound)
        return self.typed.sent(args, kwargs) if self.typed is not None else (args, kwargs)

    def _bound(self, signature: inspect.Signature, call: Call) -> inspect.BoundArguments:
        args, kwargs = call
        try:
            return signature.bind(*args, **kwargs)
        except TypeError as error:
            # ``bind`` would only say that it is unexpected.
            sent = self.asked.keys() & kwargs.keys() - signature.parameters.keys()
            why = f"{min(sent)} is a resource, which the worker makes; leave it out" if sent else str(error)
            raise TypeError(f"{self.function_name}{signature}: {why}") from None

    @property
    def parameters(self) -> tuple[str, ...]:
        """All that a call may give."""
        return tuple(self._signature.parameters)

    def values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """By parameter what a call that fits gives it, defaults included."""
        # As in ``fit``.
        if not kwargs and self.fits_plainly(len(args)):
            return {**self._unsaid, **dict(zip(self.names, args, strict=False))}
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    @functools.cached_property
    def _unsaid(self) -> dict[str, Any]:
        """What each parameter has that a call does not give, in their order."""
        collecting: dict[Any, Any] = {
            inspect.Parameter.VAR_POSITIONAL: (),
            inspect.Parameter.VAR_KEYWORD: {},
        }
        return {
            one.name: collecting.get(one.kind, one.default) for one in self._signature.parameters.values()
        }

    def fits_plainly(self, count: int) -> bool:
        """Whether this number of positional arguments fits without ``bind``."""
        return self._needed <= count <= self._accepted

    def call_here(self, function: Callable[..., Any], context: Any, call: Call) -> Any:
        """Call a function that takes a context: with the caller's own context argument if there is one, else with this."""
        args, kwargs = call
        try:
            # With a context of the caller's it fits as it is.
            self._whole.bind(*args, **kwargs)
        except TypeError:
            args, kwargs = self._named_behind_filled(self._bound(self._here, call))
            kwargs = {**kwargs, str(self.context): context}
        return function(*args, **kwargs)

    def asked_of_call(self, call: Call) -> dict[str, SharedResource[Any]]:
        """The resources that this call needs besides what it gives itself."""
        if not self.asked:
            return self.asked
        args, kwargs = call
        # Partial: what the worker fills in is still missing.
        given = self._whole.bind_partial(*args, **kwargs).arguments
        return {name: one for name, one in self.asked.items() if name not in given}

    def _named_behind_filled(self, bound: inspect.BoundArguments) -> Call:
        """Pass the arguments behind the first parameter that the worker fills in by name: it passes its own by name too, and no
        positional argument may follow."""
        before = self._before
        by_name: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if name in before:
                continue
            if kind is inspect.Parameter.VAR_KEYWORD:
                by_name.update(value)
            elif kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
                raise TypeError(
                    f"{self.function_name}: what the worker fills in must come after {name}; move it to the end "
                    "as a keyword: def job(…, *, ctx: tq.Context)"
                )
            else:
                by_name[name] = value
        return tuple(bound.arguments[name] for name in before if name in bound.arguments), by_name

    def _first_filled(self, filled: set[str]) -> int:
        parameters = list(self._whole.parameters)
        return min(map(parameters.index, filled), default=len(parameters))
