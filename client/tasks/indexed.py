"""Arguments by which tasks are found again: with ``index=["customer"]`` a task has the tag ``arg.customer``, with the text of that argument.

The master opens no arguments. Which of them it is to know is said where the task is defined, and their texts are computed in the program
that submits it, by the rules of the keys of limits. A map has one set of tags for all its tasks, so that it has no index.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...common.domain.expressions import Expression
from ...common.domain.tags import ARGUMENT
from ...common.errors import InvalidArgument

if TYPE_CHECKING:
    from .definition import Definition
    from .options import Choice


class ArgumentIndex:
    """Of one callable. Raises InvalidArgument for a parameter that it does not have."""

    def __init__(self, names: Sequence[str], definition: Definition) -> None:
        arguments = definition.arguments
        self._positional: Sequence[str] = () if arguments is None else arguments.names
        self._defaults: dict[str, Any] = {}
        self._keyed = [(name, Expression(f"{{{name}}}", ("", name, ""))) for name in names]
        if arguments is not None:
            known = arguments.names_and_defaults()
            self._defaults = {name: one for name, one in known.items() if one is not inspect.Parameter.empty}
            for _, one in self._keyed:
                one.check("index", known, arguments.function_name)

    def of_call(self, choice: Choice, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Choice:
        """With the tags of this call. Raises InvalidArgument for an argument that is neither text nor a number."""
        # Not strict: a wrong number of arguments is refused where they are encoded, in better words.
        values = {**self._defaults, **dict(zip(self._positional, args, strict=False)), **kwargs}
        # An argument that is empty has no tag: a filter cannot ask for it.
        found = {
            ARGUMENT + name: text for name, one in self._keyed if (text := one.key(f"index {name}", values))
        }
        options = replace(choice.options, tags=tuple({**dict(choice.options.tags), **found}.items()))
        return choice._replace(options=options, wire=options.to_wire())


def refuse_index_of_many(choice: Choice) -> None:
    """Raises InvalidArgument where many tasks share their tags."""
    if choice.indexed:
        raise InvalidArgument(
            f"index={list(choice.indexed)} is of single tasks, and those of a map share their tags; submit them one by one, in "
            f"`with app.batch():`, or map without it: using(index=[])"
        )
