"""Whether a call fits a function, checked at the submit: a call that does not fit raises TypeError there.

The worker fills in the parameter annotated ``tq.Context``, so that one is left out here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ...common.domain.callables import context_parameter

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Arguments:
    """The parameters of a function. ``names``: its positional parameters, for readable errors."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function_name = getattr(function, "__qualname__", type(function).__name__)
        self.context = context_parameter(function)
        self._whole = inspect.signature(function)
        parameters = [one for one in self._whole.parameters.values() if one.name != self.context]
        self._signature = self._whole.replace(parameters=parameters)
        positional = [
            one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
        self.names = tuple(one.name for one in positional)
        self._needed = sum(one.default is one.empty for one in positional)
        # The number of positional arguments that fit without ``bind``: -1 when positional arguments alone cannot
        # suffice, and none after the context's parameter, because the worker passes the context by name.
        self._accepted = (
            len(positional) if self.context is None else list(self._whole.parameters).index(self.context)
        )
        if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
            self._accepted = -1

    def fit(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The call in the form in which it is sent; raises TypeError as calling the function would.

        Hot path: a call with positional arguments only costs two comparisons.
        """
        if not kwargs and self._needed <= len(args) <= self._accepted:
            return args, kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.function_name}{self._signature}: {error}") from None
        if self.context is None or len(args) <= self._accepted:
            return args, kwargs
        return self._named_behind_context(bound)

    def fits_plainly(self, count: int) -> bool:
        """Whether this number of positional arguments fits without ``bind``."""
        return self._needed <= count <= self._accepted

    def call_here(self, function: Callable[..., Any], context: Any, call: Call) -> Any:
        """Call a function that takes a context: with the caller's own context argument if there is one, else with this."""
        args, kwargs = call
        try:
            self._whole.bind(*args, **kwargs)
        except TypeError:
            args, kwargs = self.fit(args, kwargs)
            kwargs = {**kwargs, str(self.context): context}
        return function(*args, **kwargs)

    def _named_behind_context(self, bound: inspect.BoundArguments) -> Call:
        """Pass the arguments after the context's parameter by name: the worker passes the context by name too, and no
        positional argument may follow it."""
        before = list(self._whole.parameters)[: max(0, self._whole_index())]
        by_name: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = self._signature.parameters[name].kind
            if name in before:
                continue
            if kind is inspect.Parameter.VAR_KEYWORD:
                by_name.update(value)
            elif kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
                raise TypeError(
                    f"{self.function_name}: the tq.Context parameter must come after {name}; move it to the end "
                    "as a keyword: def job(…, *, ctx: tq.Context)"
                )
            else:
                by_name[name] = value
        return tuple(bound.arguments[name] for name in before if name in bound.arguments), by_name

    def _whole_index(self) -> int:
        return list(self._whole.parameters).index(str(self.context))
