"""Arguments by which the tasks of one submit are found again, where they differ from task to task. Pure.

Tags are options, which all tasks of a call share. Indexed arguments of a map travel beside the payloads instead, as the keys of limits
do, and stay with the array: a task that leaves it is still found by its number::

    {"arg.customer": [["ann", "ben"], [0, 1, 0, 0]]}      the texts once, and a number for each task; "" is no tag
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .tags import ARGUMENT, TAGS_MAX, check_tag_name, check_tag_text
from .text_columns import TextColumn


class IndexColumns(NamedTuple):
    """``columns``: by the names of their tags, ``arg.customer``."""

    columns: tuple[tuple[str, TextColumn], ...]

    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    def at(self, task: int) -> dict[str, str]:
        """The tags of one task."""
        return {name: text for name, column in self.columns if (text := column.at(task))}

    def part(self, start: int, stop: int) -> IndexColumns:
        """Of some of the tasks."""
        return IndexColumns(tuple((name, column.part(start, stop)) for name, column in self.columns))

    def of_some(self, places: Sequence[int]) -> IndexColumns:
        """Of the tasks in these places."""
        return IndexColumns(tuple((name, column.of_some(places)) for name, column in self.columns))

    def to_wire(self) -> dict[str, Any]:
        return {name: column.to_wire() for name, column in self.columns}

    @classmethod
    def from_wire(cls, given: Any, tasks: int) -> IndexColumns:
        """Of a submit with so many tasks. Raises InvalidArgument."""
        if type(given) is not dict or not 1 <= len(given) <= TAGS_MAX:
            raise InvalidArgument(
                f"an index is a map of 1 to {TAGS_MAX} names, each with a column of texts, not {brief(given, 80)}"
            )
        found: list[tuple[str, TextColumn]] = []
        for name, one in given.items():
            if not check_tag_name(name).startswith(ARGUMENT):
                raise InvalidArgument(f"an index has names of arguments, {ARGUMENT}customer, not {name!r}")
            column = TextColumn.from_wire(f"index {name}", one, tasks)
            for text in column.texts:
                if text:
                    check_tag_text(name, text)
            found.append((name, column))
        return cls(tuple(found))
