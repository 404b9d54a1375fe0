"""Arguments by which tasks are found again: with ``index=["customer"]`` a task has the tag ``arg.customer``, with the text of that argument.

The master opens no arguments. Which of them it is to know is said where the task is defined, and their texts are computed in the program
that submits it, by the rules of the keys of limits. A task by itself has them among its tags; those of a map stand in a column beside the
arguments, for all that travel in one call. What is not known when a task is declared or submitted, the result of another task or what
the master gives a callback, has no tag.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ...common.domain.argument_index import IndexColumns
from ...common.domain.expressions import Expression
from ...common.domain.tags import ARGUMENT, check_tag_text, check_tags_together
from ...common.domain.text_columns import TextColumn
from .needs import is_handle
from .submission import lane_columns

if TYPE_CHECKING:
    from .definition import Definition
    from .options import Choice

NO_TAG: Final = ""  # of an argument that is empty or not known: a filter cannot ask for it


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
        found = zip(self._keyed, self.texts(args, kwargs), strict=True)
        return _tagged(choice, {ARGUMENT + name: text for (name, _), text in found if text})

    def of_unknown(self, choice: Choice) -> Choice:
        """With the tags of a call whose first argument is not known yet, and that has no other: those of defaults."""
        first = self._positional[:1]
        known = {name: one for name, one in self._defaults.items() if name not in first}
        return _tagged(
            choice,
            {
                ARGUMENT + name: text
                for name, one in self._keyed
                if name in known and (text := one.key(f"index {name}", known))
            },
        )

    def texts(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
        """Of each parameter that is named, in this call. Raises InvalidArgument."""
        # Not strict: a wrong number of arguments is refused where they are encoded, in better words.
        values = {**self._defaults, **dict(zip(self._positional, args, strict=False)), **kwargs}
        return tuple(
            NO_TAG if is_handle(values.get(name)) else one.key(f"index {name}", values)
            for name, one in self._keyed
        )

    def columns(self, texts: Sequence[tuple[str, ...]]) -> IndexColumns:
        """Of tasks with these texts, in their order. Raises InvalidArgument."""
        found = [
            (ARGUMENT + name, TextColumn.of(column))
            for (name, _), column in zip(self._keyed, zip(*texts, strict=True), strict=True)
        ]
        for name, column in found:
            for text in filter(None, column.texts):
                check_tag_text(name, text)
        return IndexColumns(tuple(found))


class MapIndex:
    """Of a map: the texts of calls that were read and are not in a submit yet."""

    def __init__(self, choice: Choice, definition: Definition) -> None:
        self._index = ArgumentIndex(choice.indexed, definition)
        check_tags_together(choice.options.tags, [ARGUMENT + name for name in choice.indexed])
        self._texts = deque[tuple[str, ...]]()

    def noted(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """The calls as they are read, after what is indexed was noted."""
        for args in calls:
            self._texts.append(self._index.texts(args, {}))
            yield args

    def of_next(self, choice: Choice, tasks: int) -> Choice:
        """With what is indexed of the next so many tasks."""
        texts = [self._texts.popleft() for _ in range(tasks)]
        columns = lane_columns(choice)._replace(indexed=self._index.columns(texts))
        return choice._replace(columns=columns)


def _tagged(choice: Choice, found: Mapping[str, str]) -> Choice:
    options = replace(choice.options, tags=tuple({**dict(choice.options.tags), **found}.items()))
    return choice._replace(options=options, wire=options.to_wire())
