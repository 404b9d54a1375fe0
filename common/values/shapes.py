"""Values by the annotation of a function: as plain data where they are sent, made again where they are received.

::

    Order(…) ──plain──► {"item": "tea", "price": 2.5} ── the wire, which names no type ──► made ──► Order(…)

A shape is decided once per annotation (``annotations.py``). ``plain`` refuses a value that does not fit, with its path;
``made`` refuses data that does not. A subclass does not fit: fewer fields than it has would arrive.

What stands in the place of a value and is not known yet passes: the handle of a task, and ``tq.Failed``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ..errors import InvalidArgument
from .brief import brief

SHOWN_CHARS_MAX: Final = 80  # of a value
ERROR_CHARS_MAX: Final = 500  # of what a class says against one


class Misfit(Exception):
    """``path``: its parts, the innermost first, added on the way out: a value that fits costs nothing for it. ``is_other``: the value is
    of another kind altogether, so that another member of a union may be meant."""

    def __init__(self, what: str, *, is_other: bool = False) -> None:
        super().__init__(what)
        self.path: list[str] = []
        self.is_other = is_other

    def refusal(self, root: str) -> InvalidArgument:
        return InvalidArgument(f"{root}{''.join(reversed(self.path))}: {self}")


class Shape(Protocol):
    """``name``: as people write it. ``kinds``: the types of its plain form, by which members of a union are distinguished."""

    @property
    def name(self) -> str: ...
    @property
    def kinds(self) -> frozenset[type]: ...
    @property
    def is_typed(self) -> bool:
        """Whether data and value differ anywhere in it, or are checked."""

    def plain(self, value: Any) -> Any: ...
    def made(self, data: Any) -> Any: ...


def sent(shape: Shape, value: Any, root: str) -> Any:
    """Raises InvalidArgument with the path below ``root``."""
    return _judged(shape.plain, value, root)


def received(shape: Shape, data: Any, root: str) -> Any:
    return _judged(shape.made, data, root)


def _judged(step: Callable[[Any], Any], value: Any, root: str) -> Any:
    try:
        return step(value)
    except Misfit as misfit:
        # From the error of the user's class, if it was one: the way through the shapes says nothing.
        raise misfit.refusal(root) from misfit.__cause__
    except RecursionError:
        raise InvalidArgument(f"{root}: it contains itself, or is nested too deep") from None


def _is_to_come(value: Any) -> bool:
    return hasattr(type(value), "_tq_needed") or hasattr(type(value), "_tq_in_place_of_a_result")


def _expected(name: str, value: Any) -> Misfit:
    shown = "" if value is None else f" {brief(value, SHOWN_CHARS_MAX)}"
    kind = "None" if value is None else type(value).__name__
    return Misfit(f"expected {name}, got {kind}{shown}", is_other=True)


@dataclass(frozen=True, slots=True)
class LeafShape:
    """Values that travel as they are. ``classes``: of which they are instances; empty: of any."""

    name: str
    classes: tuple[type, ...] = ()
    is_typed = False

    @property
    def kinds(self) -> frozenset[type]:
        return frozenset(self.classes or {object})

    def plain(self, value: Any) -> Any:
        if self.classes and not isinstance(value, self.classes) and not _is_to_come(value):
            raise _expected(self.name, value)
        # For isinstance a bool is an int; where a number is expected it is mostly a mistake.
        if type(value) is bool and bool not in self.classes and int in self.classes:
            raise _expected(self.name, value)
        return value

    made = plain


@dataclass(frozen=True, slots=True)
class LiteralShape:
    """``Literal[…]``."""

    name: str
    values: tuple[Any, ...]
    is_typed = False

    @property
    def kinds(self) -> frozenset[type]:
        return frozenset(map(type, self.values))

    def plain(self, value: Any) -> Any:
        # 1 == True == 1.0: the type has to be the same too.
        if not any(type(one) is type(value) and one == value for one in self.values) and not _is_to_come(
            value
        ):
            raise _expected(self.name, value)
        return value

    made = plain


@dataclass(slots=True, eq=False)
class FieldsShape:
    """A class with named fields: as a dict. ``kind``: whose instances these are; dict for a TypedDict. ``shapes`` is filled when the
    shape is there already: a class may have itself as a field."""

    name: str
    kind: type
    make: Callable[..., Any]
    read: Callable[[Any], dict[str, Any]]
    shapes: dict[str, Shape] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    defaults: dict[str, Any] = field(default_factory=dict)  # those that a person may be shown
    is_typed = True
    kinds = frozenset({dict})

    def plain(self, value: Any) -> Any:
        if type(value) is not self.kind:
            if _is_to_come(value):
                return value
            raise _expected(self.name, value)
        fields = self.read(value)
        # A TypedDict is checked nowhere else: for Python it is any dict.
        if self.kind is dict:
            self._check_names(fields)
        return self._each(fields, fields, lambda shape: shape.plain)

    def made(self, data: Any) -> Any:
        if type(data) is not dict:
            if _is_to_come(data):
                return data
            raise _expected(self.name, data)
        self._check_names(data)
        fields = self._each(data, data, lambda shape: shape.made)
        try:
            return self.make(**fields)
        except Exception as error:  # its own checks
            text = brief(str(error), ERROR_CHARS_MAX).strip("'")
            raise Misfit(f"{self.name} refuses it: {type(error).__name__}: {text}") from error

    def _check_names(self, data: dict[Any, Any]) -> None:
        for name in data:
            if name not in self.shapes:
                raise Misfit(f"{self.name} has no field {brief(name, SHOWN_CHARS_MAX)}")
        if missing := self.needed - data.keys():
            raise Misfit(f"{self.name} needs the field {min(missing)!r}")

    def _each(
        self, names: Iterable[str], values: Mapping[str, Any], step: Callable[[Shape], Callable[[Any], Any]]
    ) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for name in names:
            try:
                done[name] = step(self.shapes[name])(values[name])
            except Misfit as misfit:
                misfit.path.append(f".{name}")
                raise
        return done


@dataclass(frozen=True, slots=True)
class EnumShape:
    """An enum: as the value of the member, or by name if its values are not all plain and different."""

    kind: type[enum.Enum]
    by_value: bool
    is_typed = True

    @property
    def name(self) -> str:
        return self.kind.__name__

    @property
    def kinds(self) -> frozenset[type]:
        return frozenset({type(one.value) for one in self.kind} if self.by_value else {str})

    def plain(self, value: Any) -> Any:
        if not isinstance(value, self.kind):
            if _is_to_come(value):
                return value
            raise _expected(self.name, value)
        return value.value if self.by_value else value.name

    def made(self, data: Any) -> Any:
        if isinstance(data, self.kind) or _is_to_come(data):
            return data
        try:
            return self.kind(data) if self.by_value else self.kind[data]
        except (KeyError, ValueError, TypeError):
            raise _expected(self.name, data) from None


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model of pydantic: as its JSON, which its own validation reads."""

    kind: Any
    is_typed = True

    @property
    def kinds(self) -> frozenset[type]:
        return frozenset({object if getattr(self.kind, "__pydantic_root_model__", False) else dict})

    @property
    def name(self) -> str:
        return str(self.kind.__name__)

    def plain(self, value: Any) -> Any:
        if type(value) is not self.kind:
            if _is_to_come(value):
                return value
            raise _expected(self.name, value)
        try:
            return value.model_dump(mode="json", by_alias=True, warnings="error")
        except ValueError as error:  # pydantic's own is one
            return self._plain_if_it_fits(value, error)

    def _plain_if_it_fits(self, value: Any, error: ValueError) -> Any:
        """Of a model in which something is not what its class says: a model checks what it is made of, and not what it is assigned. Its
        validation finds the place, and accepts what it can convert."""
        try:
            data = value.model_dump(mode="json", by_alias=True, warnings=False)
        except ValueError:
            raise Misfit(f"{self.name} cannot be sent: {brief(str(error), ERROR_CHARS_MAX)}") from error
        self.made(data)
        return data

    def made(self, data: Any) -> Any:
        if _is_to_come(data):
            return data
        try:
            return self.kind.model_validate(data)
        except ValueError as error:
            found: Any = getattr(error, "errors", list)()
            if not found:
                raise Misfit(f"{self.name} refuses it: {brief(str(error), ERROR_CHARS_MAX)}") from error
            misfit = Misfit(f"{found[0]['msg']}, got {brief(found[0]['input'], SHOWN_CHARS_MAX)}")
            misfit.path = [_part(one) for one in reversed(found[0]["loc"])]
            raise misfit from error


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list, set or tuple of one kind of element. ``takes``: what may be given; it is sent and made as ``make`` makes it. In JSON it is
    a list."""

    name: str
    takes: frozenset[type]
    make: Callable[[Iterable[Any]], Any]
    element: Shape

    @property
    def kinds(self) -> frozenset[type]:
        return self.takes

    @property
    def is_typed(self) -> bool:
        return self.element.is_typed

    def plain(self, value: Any) -> Any:
        return self._each(value, self.element.plain, self.takes)

    def made(self, data: Any) -> Any:
        # A list too: JSON has no other.
        return self._each(data, self.element.made, self.takes | {list})

    def _each(self, value: Any, step: Callable[[Any], Any], takes: frozenset[type]) -> Any:
        if type(value) not in takes:
            if _is_to_come(value):
                return value
            raise _expected(self.name, value)
        done: list[Any] = []
        try:
            for one in value:
                done.append(step(one))
        except Misfit as misfit:
            misfit.path.append(f"[{len(done)}]")
            raise
        return self.make(done)


@dataclass(frozen=True, slots=True)
class TupleShape:
    """A tuple of so many parts, each of its own shape; a NamedTuple is sent as such a tuple. ``make`` takes the parts."""

    name: str
    kind: type
    make: Callable[..., Any]
    parts: list[Shape]
    names: tuple[str, ...] = ()

    kinds = frozenset({tuple})

    @property
    def is_typed(self) -> bool:
        return bool(self.names) or any(one.is_typed for one in self.parts)

    def plain(self, value: Any) -> Any:
        if type(value) is not self.kind:
            if _is_to_come(value):
                return value
            raise _expected(self.name, value)
        return tuple(self._each(value, [one.plain for one in self.parts]))

    def made(self, data: Any) -> Any:
        if type(data) not in (tuple, list):  # a list, where it was written in JSON
            if _is_to_come(data):
                return data
            raise _expected(self.name, data)
        return self.make(*self._each(data, [one.made for one in self.parts]))

    def _each(self, value: Any, steps: list[Callable[[Any], Any]]) -> list[Any]:
        if len(value) != len(steps):
            raise Misfit(f"{self.name} has {len(steps)} parts, got {len(value)}")
        places = [f".{name}" for name in self.names] or [f"[{at}]" for at in range(len(steps))]
        return [_inside(*one) for one in zip(places, steps, value, strict=True)]


@dataclass(frozen=True, slots=True)
class DictShape:
    """A dict whose values have a shape. Keys travel as they are."""

    name: str
    key: Shape
    value: Shape
    kinds = frozenset({dict})

    @property
    def is_typed(self) -> bool:
        return self.value.is_typed

    def plain(self, value: Any) -> Any:
        return self._each(value, self.value.plain)

    def made(self, data: Any) -> Any:
        return self._each(data, self.value.made)

    def _each(self, value: Any, step: Callable[[Any], Any]) -> Any:
        if type(value) is not dict:
            if _is_to_come(value):
                return value
            raise _expected(self.name, value)
        done: dict[Any, Any] = {}
        for key, one in value.items():
            try:
                done[self.key.plain(key)] = step(one)
            except Misfit as misfit:
                misfit.path.append(f"[{brief(key, SHOWN_CHARS_MAX)}]")
                raise
        return done


@dataclass(frozen=True, slots=True)
class UnionShape:
    """A union. No two members have the same kind of plain form, unless none of them is typed: see ``annotations.py``."""

    name: str
    members: tuple[Shape, ...]

    @property
    def kinds(self) -> frozenset[type]:
        return frozenset().union(*(one.kinds for one in self.members))

    @property
    def is_typed(self) -> bool:
        return any(one.is_typed for one in self.members)

    def plain(self, value: Any) -> Any:
        return self._first(value, lambda member: member.plain(value))

    def made(self, data: Any) -> Any:
        return self._first(data, lambda member: member.made(data))

    def _first(self, value: Any, step: Callable[[Shape], Any]) -> Any:
        """Of the member that it fits. If it fits none, the one that it came furthest in says why."""
        deepest: Misfit | None = None
        for member in self.members:
            try:
                return step(member)
            except Misfit as misfit:
                # A member that failed inside, or by its own check, is the one that was meant.
                is_meant = misfit.path or not misfit.is_other
                if is_meant and (deepest is None or len(misfit.path) > len(deepest.path)):
                    deepest = misfit
        raise deepest or _expected(self.name, value)


def _inside(part: str, step: Callable[[Any], Any], value: Any) -> Any:
    try:
        return step(value)
    except Misfit as misfit:
        misfit.path.append(part)
        raise


def _part(place: Any) -> str:
    return f"[{place}]" if isinstance(place, int) else f".{place}"
