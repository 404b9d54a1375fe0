"""Evaluates the limits and the tenant of tasks for the arguments of each call, in the program that submits it. Pure.

What they name is judged when a task is defined or varied, so that a mistyped parameter never waits for its first call.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...common.domain.columns import NO_KEY, LaneColumns
from ...common.domain.expressions import expression
from ...common.domain.text_columns import TextColumn
from ...common.errors import InvalidArgument
from .signature import Arguments

if TYPE_CHECKING:
    from ...common.domain.expressions import Expression
    from ...common.domain.lane_terms import LaneTerms
    from .definition import Definition
    from .options import Choice

KNOWN_MAX: Final = 1_000  # calls whose keys are kept
NOWHERE: Final = sys.maxsize - 1  # the place of what no call gives by position
PLAIN: Final = frozenset({str, int})


class _Keyed(NamedTuple):
    """``what``: the option, for messages. ``expression`` None: all tasks have one key."""

    what: str
    expression: Expression | None

    def key(self, values: Mapping[str, Any]) -> str:
        return NO_KEY if self.expression is None else self.expression.key(self.what, values)


class LaneKeys:
    """Of one callable and its terms. Raises InvalidArgument for a parameter that it does not have."""

    def __init__(self, terms: LaneTerms, definition: Definition) -> None:
        self._terms = terms
        self._keyed = [
            _Keyed("by", None if limit.by is None else expression("by", limit.by)) for limit in terms.limits
        ]
        if terms.tenant is not None:
            self._keyed.append(_Keyed("tenant", terms.tenant))
        self._arguments = _arguments(definition)
        self._known: dict[
            Any, tuple[str, ...]
        ] = {}  # by the arguments that are named: of a map they are mostly few
        names = () if self._arguments is None else self._arguments.names
        named = sorted({names.index(name) if name in names else NOWHERE for name in self.parameters})
        self._least = named[-1] + 1 if named else 0  # so many arguments have all that is named
        self._picked: Callable[[Sequence[Any]], Any] = itemgetter(*named) if named else _nothing
        self._defaults: dict[str, Any] = {}
        if self._arguments is not None:
            known = self._arguments.names_and_defaults()
            self._defaults = {
                name: value for name, value in known.items() if value is not inspect.Parameter.empty
            }
            for what, one in self._keyed:
                if one is not None:
                    one.check(what, known, self._arguments.function_name)

    def of_call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> LaneColumns:
        """The columns of one task."""
        return self.columns([self.keys(args, kwargs)])

    def of_unknown(self, maker: str) -> LaneColumns:
        """The columns of a task whose first argument is not known yet, and that has no other. Raises InvalidArgument for an expression that
        names it."""
        first = () if self._arguments is None else self._arguments.names[:1]
        named = [(what, one) for what, one in self._keyed if one is not None]
        for what, one in named:
            for name in one.parameters:
                if name in first or name not in self._defaults:
                    raise InvalidArgument(
                        f"{what}={one.text!r}: {{{name}}} of {maker} is not known before it is made; name a parameter with a default, or "
                        f"none: using({'tenant=None' if what == 'tenant' else 'limits=[…]'})"
                    )
        return self.of_call((), {})

    def columns(self, keys: Sequence[tuple[str, ...]]) -> LaneColumns:
        """Of tasks with these keys, in their order."""
        made = [TextColumn.of(list(map(itemgetter(place), keys))) for place in range(len(self._keyed))]
        # Not strict: the last column may be that of the tenant.
        limits = tuple(zip(self._terms.limits, made, strict=False))
        return LaneColumns(
            limits,
            None if self._terms.tenant is None else made[-1],
            self._terms.on_failure,
            self._terms.coalesce,
        )

    @property
    def parameters(self) -> list[str]:
        """What they name."""
        return [name for one in self._keyed if one.expression for name in one.expression.parameters]

    def keys(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
        """Of one call: the key in each limit, then the tenant."""
        if kwargs or len(args) < self._least:
            return self._made(args, kwargs)
        picked = self._picked(args)
        # True is 1 to a dict, and another key: what is neither text nor an int is not looked up.
        if type(picked) not in PLAIN and not (type(picked) is tuple and PLAIN.issuperset(map(type, picked))):
            return self._made(args, kwargs)
        keys = self._known.get(picked)
        if keys is None:
            keys = self._made(args, kwargs)
            if len(self._known) < KNOWN_MAX:
                self._known[picked] = keys
        return keys

    def known(self, calls: Sequence[tuple[Any, ...]]) -> list[tuple[str, ...]] | None:
        """The keys of each call, looked up at once; None: those of some are to be made."""
        try:
            picked = list(map(self._picked, calls))
        except IndexError:  # what is named is left to its default
            return None
        kinds = set(map(type, picked))
        if kinds == {tuple}:
            kinds = set(map(type, chain.from_iterable(picked)))
        if not kinds <= PLAIN:  # as in ``keys``
            return None
        try:
            return list(map(self._known.__getitem__, picked))
        except KeyError:
            return None

    def _made(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
        names = () if self._arguments is None else self._arguments.names
        # Not strict: a wrong number of arguments is refused where they are encoded, in better words.
        values = {**self._defaults, **dict(zip(names, args, strict=False)), **kwargs}
        return tuple(one.key(values) for one in self._keyed)


def _nothing(args: Sequence[Any]) -> str:
    """For tasks that have one key, whatever their arguments are."""
    return NO_KEY


def check_unique(choice: Choice, definition: Definition) -> None:
    """Raises InvalidArgument for an expression of ``unique`` with a parameter that the function does not have."""
    unique = choice.unique
    if unique is None or unique.by is None:
        return
    arguments = definition.arguments
    if arguments is not None:
        what = "cache_by" if choice.is_cached else "unique by"
        expression("by", unique.by).check(what, arguments.parameters, arguments.function_name)


def _arguments(definition: Definition) -> Arguments | None:
    """None: the parameters are not known here."""
    try:
        return definition.arguments
    except ValueError as error:  # a builtin without a signature
        raise InvalidArgument(
            f"{definition.name} does not say its parameters, so by= and tenant= cannot name one; wrap it in a function"
        ) from error
