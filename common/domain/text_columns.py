"""A text for each of many tasks, as it travels: the different texts once, and a number for each task. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from ..errors import InvalidArgument
from ..values.brief import brief
from .expressions import check_key

Said = TypeVar("Said", bound=Hashable)
BYTE: Final = 256  # different texts, up to which a byte says which one


class TextColumn(NamedTuple):
    """A text for each task. ``codes``: for each task which of the texts, as bytes where these are enough; None: all have the only one."""

    texts: tuple[str, ...]
    codes: bytes | tuple[int, ...] | None = None

    @classmethod
    def of(cls, texts: Sequence[str]) -> TextColumn:
        """Of one text for each task."""
        numbers = numbered(texts)
        # One text for all is the usual case, and costs nothing for each task.
        if len(numbers) == 1:
            return cls(tuple(numbers))
        return cls(tuple(numbers), coded(map(numbers.__getitem__, texts), len(numbers)))

    def at(self, task: int) -> str:
        return self.texts[0 if self.codes is None else self.codes[task]]

    def part(self, start: int, stop: int) -> TextColumn:
        """Of some of the tasks, with no texts but theirs."""
        return (
            self
            if self.codes is None
            else TextColumn.of([self.texts[code] for code in self.codes[start:stop]])
        )

    def of_some(self, places: Sequence[int]) -> TextColumn:
        """Of the tasks in these places, with no texts but theirs."""
        return self if self.codes is None else TextColumn.of([self.at(place) for place in places])

    def to_wire(self) -> Any:
        return self.texts[0] if self.codes is None else [list(self.texts), list(self.codes)]

    @classmethod
    def from_wire(cls, what: str, given: Any, tasks: int) -> TextColumn:
        """Raises InvalidArgument."""
        if isinstance(given, str):
            return cls((check_key(what, given),))
        if type(given) is not list or len(given) != 2 or {type(part) for part in given} != {list}:
            raise InvalidArgument(
                f"{what}: a column is a text, or [[text, …], [number, …]], not {brief(given, 80)}"
            )
        texts, codes = given
        # More texts than tasks would only take memory.
        if not 1 <= len(texts) <= tasks or len(codes) != tasks:
            raise InvalidArgument(
                f"{what}: a column of {tasks:,} tasks has a number for each, and no more texts; this has {len(codes):,} numbers "
                f"and {len(texts):,} texts"
            )
        # A negative number would be a place from the end, for Python.
        if set(map(type, codes)) != {int} or not 0 <= min(used := set(codes)) <= max(used) < len(texts):
            raise InvalidArgument(f"{what}: the numbers of a column are places in its texts, from 0")
        for text in texts:
            check_key(what, text)
        return cls(tuple(texts), coded(codes, len(texts)))


def coded(codes: Iterable[int], texts: int) -> bytes | tuple[int, ...]:
    """Numbers as a column of so many texts has them."""
    return bytes(codes) if texts <= BYTE else tuple(codes)


def numbered(values: Iterable[Said]) -> dict[Said, int]:
    """The different ones, with their numbers in the order in which they come."""
    return {value: number for number, value in enumerate(dict.fromkeys(values))}
