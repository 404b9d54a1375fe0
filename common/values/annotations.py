"""What the annotations of a function say about its arguments and its result: decided once per function.

Typed are dataclasses, TypedDicts, NamedTuples, enums and models of pydantic, and what contains them: lists, tuples, sets, dicts,
unions with what cannot be mistaken for them. All other annotations are for readers and checkers: nothing is looked at then, and a
function that has no others costs nothing.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import sys
import types
import typing
from collections import abc
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from .shapes import (
    DictShape,
    EnumShape,
    FieldsShape,
    LeafShape,
    ListShape,
    LiteralShape,
    ModelShape,
    Shape,
    TupleShape,
    UnionShape,
    received,
    sent,
)

# An annotation of these words only has nothing typed in it, and need not be evaluated.
PLAIN_WORDS: Final = frozenset(
    [
        "int",
        "float",
        "str",
        "bool",
        "bytes",
        "bytearray",
        "complex",
        "object",
        "None",
        "list",
        "dict",
        "tuple",
        "set",
        "frozenset",
        "Any",
        "Optional",
        "Union",
        "typing",
        "Sequence",
        "Iterable",
        "Mapping",
    ]
)
WORD: Final = re.compile(r"[A-Za-z_]\w*")
ANY: Final = LeafShape("anything")
LISTS: Final = frozenset({list, tuple})
MANY: Final[dict[Any, tuple[frozenset[type], Callable[..., Any]]]] = {
    list: (frozenset({list}), list),
    set: (frozenset({set}), set),
    frozenset: (frozenset({frozenset}), frozenset),
    abc.Sequence: (LISTS, list),
    abc.MutableSequence: (frozenset({list}), list),
    abc.Iterable: (LISTS, list),
    abc.Collection: (LISTS, list),
}
EMPTY: Final = (list, dict, set, tuple, frozenset)  # factories of defaults that are called to be shown
TABLES: Final[frozenset[Any]] = frozenset({dict, abc.Mapping, abc.MutableMapping})
OWN: Final = __name__.partition(".")[0]  # our own classes travel as the codec has them


class TypedCall(NamedTuple):
    """The shapes of a function's parameters, without those that a worker fills in. None: as it is. ``is_of_args``: any of them has one."""

    positional: list[tuple[str, Shape | None]]
    rest: tuple[str, Shape | None] | None  # *args
    named: dict[str, Shape | None]
    more: Shape | None  # **kwargs
    result: Shape | None
    is_of_args: bool

    def sent(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as plain data; raises InvalidArgument with the path of what does not fit."""
        return tuple(self._all(sent, args)), self._by_name(sent, kwargs)

    def received(
        self, args: typing.Sequence[Any], kwargs: typing.Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        return list(self._all(received, args)), self._by_name(received, kwargs)

    def sent_result(self, value: Any) -> Any:
        return value if self.result is None else sent(self.result, value, "result")

    def received_result(self, data: Any) -> Any:
        return data if self.result is None else received(self.result, data, "result")

    def _all(self, step: Callable[[Shape, Any, str], Any], args: typing.Sequence[Any]) -> Iterator[Any]:
        for at, value in enumerate(args):
            name, shape = self.positional[at] if at < len(self.positional) else (self.rest or ("", None))
            yield value if shape is None else step(shape, value, name)

    def _by_name(
        self, step: Callable[[Shape, Any, str], Any], kwargs: typing.Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            name: value if (shape := self.named.get(name, self.more)) is None else step(shape, value, name)
            for name, value in kwargs.items()
        }


def may_be_typed(function: Callable[..., Any]) -> bool:
    """Whether it has annotations that have to be evaluated."""
    notes: dict[str, Any] = getattr(inspect.unwrap(function), "__annotations__", {})
    return not all(map(_is_plain, notes.values()))


def typed_call(
    function: Callable[..., Any], filled: typing.Container[str] = (), *, refuse_ambiguous: bool = False
) -> TypedCall | None:
    """None: nothing of it is typed. ``filled``: parameters that a worker fills in. ``refuse_ambiguous``: raise InvalidArgument for an
    ambiguous annotation, of a function that is to be a task; of any other, which its author did not write for us, it is none.

    An annotation that cannot be evaluated here, such as a class that is imported for type checkers only, is none, too.
    """
    inner = inspect.unwrap(function)
    notes: dict[str, Any] = getattr(inner, "__annotations__", {})
    if all(_is_plain(note) for one, note in notes.items() if one not in filled):
        return None
    name = getattr(inner, "__qualname__", "the function")
    space = getattr(inner, "__globals__", {})
    shapes: dict[str, Shape | None] = {}
    for one, note in notes.items():
        if one in filled:
            continue
        try:
            shapes[one] = _typed(note, space)
        except _Ambiguous as ambiguous:
            shapes[one] = None
            if refuse_ambiguous:
                what = "the result" if one == "return" else one
                raise InvalidArgument(f"{name}: the annotation of {what} is ambiguous: {ambiguous}") from None
    if not any(shapes.values()):
        return None
    result = shapes.pop("return", None)
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name not in filled]
    kinds = inspect.Parameter
    by_place = [
        (one.name, shapes.get(one.name))
        for one in parameters
        if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    rest = [(one.name, shapes.get(one.name)) for one in parameters if one.kind is kinds.VAR_POSITIONAL]
    more = [shapes.get(one.name) for one in parameters if one.kind is kinds.VAR_KEYWORD]
    named = {
        one.name: shapes.get(one.name)
        for one in parameters
        if one.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    return TypedCall(
        positional=by_place,
        rest=rest[0] if rest else None,
        named=named,
        more=more[0] if more else None,
        result=result,
        is_of_args=any(shapes.values()),
    )


def shape_of_note(function: Any, note: Any) -> Shape:
    """What one annotation of a function or class says, typed or not; anything at all where it cannot be evaluated here, or is ambiguous."""
    space = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return _Shapes().of(_evaluated({"it": note}, space)["it"])
    except Exception:  # names that only a checker knows, or what is no type at all
        return ANY


def _is_plain(note: Any) -> bool:
    if isinstance(note, str):
        return PLAIN_WORDS.issuperset(WORD.findall(note))
    return note is None or (isinstance(note, type) and note.__name__ in PLAIN_WORDS)


def _typed(note: Any, space: dict[str, Any]) -> Shape | None:
    if _is_plain(note):
        return None
    try:
        evaluated = _evaluated({"it": note}, space)["it"]
    except Exception:  # names that only a checker knows, or what is no type at all
        return None
    shape = _Shapes().of(evaluated)
    return shape if shape.is_typed else None


def _evaluated(notes: dict[str, Any], space: dict[str, Any]) -> dict[str, Any]:
    return typing.get_type_hints(types.SimpleNamespace(__annotations__=notes), globalns=space)


class _Ambiguous(Exception):
    """Two members of a union that data could be either of."""


class _Shapes:
    """Those of one annotation. A class that contains itself is met once."""

    def __init__(self) -> None:
        self._met: dict[type, FieldsShape] = {}

    def of(self, note: Any) -> Shape:
        while supertype := getattr(note, "__supertype__", None):  # NewType
            note = supertype
        if note is Any or note is object:
            return ANY
        if note is None or note is type(None):
            return LeafShape("None", (type(None),))
        origin = typing.get_origin(note)
        if origin is not None:
            return self._of_origin(note, origin, typing.get_args(note))
        if isinstance(note, type):
            return self._of_class(note)
        return ANY  # a type variable, or what only a checker knows

    def _of_class(self, kind: type) -> Shape:
        if kind.__module__.partition(".")[0] == OWN:
            return _leaf(kind)
        if issubclass(kind, enum.Enum):
            values = [one.value for one in kind]
            return EnumShape(kind, by_value=all(type(one) in (str, int) for one in values))
        if typing.is_typeddict(kind):
            return self._of_typed_dict(kind)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return self._of_named_tuple(kind)
        if dataclasses.is_dataclass(kind):
            return self._of_dataclass(kind)
        pydantic: Any = sys.modules.get("pydantic")
        if pydantic is not None and issubclass(kind, pydantic.BaseModel):
            return ModelShape(kind)
        return _leaf(kind)

    def _of_dataclass(self, kind: Any) -> Shape:
        if kind in self._met:
            return self._met[kind]
        all_fields = dataclasses.fields(kind)
        hints = _hints_of(kind)
        if hints is None or any(
            one not in {field.name for field in all_fields} for one in inspect.signature(kind).parameters
        ):
            return _leaf(kind)  # InitVar, or an __init__ of its own: what it is made of is not what it has
        ours = [one for one in all_fields if one.init]
        names = [one.name for one in ours]
        shape = self._met[kind] = FieldsShape(
            kind.__name__, kind, kind, lambda value: {name: getattr(value, name) for name in names}
        )
        shape.shapes.update((name, self.of(hints.get(name, Any))) for name in names)
        missing = dataclasses.MISSING
        shape.needed = frozenset(
            one.name for one in ours if one.default is missing and one.default_factory is missing
        )
        shape.defaults = {one.name: one.default for one in ours if one.default is not missing}
        shape.defaults |= {
            one.name: kind()
            for one in ours
            if (kind := next((some for some in EMPTY if some is one.default_factory), None)) is not None
        }
        return shape

    def _of_typed_dict(self, kind: Any) -> Shape:
        if kind in self._met:
            return self._met[kind]
        hints = _hints_of(kind)
        if hints is None:
            return _leaf(dict)
        shape = self._met[kind] = FieldsShape(kind.__name__, dict, dict, lambda value: value)
        shape.shapes.update((name, self.of(note)) for name, note in hints.items())
        marked = {
            name: typing.get_origin(note) for name, note in (_hints_of(kind, marked=True) or {}).items()
        }
        needed = {name for name, mark in marked.items() if mark is typing.Required}
        free = {name for name, mark in marked.items() if mark is typing.NotRequired}
        shape.needed = frozenset((kind.__required_keys__ | needed) - free)
        return shape

    def _of_named_tuple(self, kind: Any) -> Shape:
        hints = _hints_of(kind)
        parts = [self.of((hints or {}).get(name, Any)) for name in kind._fields]
        return TupleShape(kind.__name__, kind, kind, parts, kind._fields)

    def _of_origin(self, note: Any, origin: Any, args: tuple[Any, ...]) -> Shape:
        if origin is typing.Union or origin is types.UnionType:
            return self._of_union([self.of(one) for one in args])
        if origin is typing.Literal:
            return LiteralShape(_shown(note), args)
        if origin is tuple:
            return self._of_tuple(note, args)
        if origin in TABLES:
            return DictShape(_shown(note), self.of(args[0]), self.of(args[1]))
        if origin in MANY:
            takes, make = MANY[origin]
            return ListShape(_shown(note), takes, make, self.of(args[0]))
        return ANY

    def _of_tuple(self, note: Any, args: tuple[Any, ...]) -> Shape:
        if len(args) == 2 and args[1] is Ellipsis:
            return ListShape(_shown(note), frozenset({tuple}), tuple, self.of(args[0]))
        return TupleShape(_shown(note), tuple, lambda *parts: parts, [self.of(one) for one in args])

    def _of_union(self, members: list[Shape]) -> Shape:
        for at, one in enumerate(members):
            for other in members[at + 1 :]:
                if (one.is_typed or other.is_typed) and _may_be_mistaken(one, other):
                    raise _Ambiguous(
                        f"what is sent as {one.name} could be {other.name} just as well, and the worker could not tell; write one "
                        "class with a field that says which it is"
                    )
        members.sort(key=lambda one: not one.is_typed)
        return UnionShape(" | ".join(one.name for one in members), tuple(members))


def _may_be_mistaken(one: Shape, other: Shape) -> bool:
    return any(issubclass(a, b) or issubclass(b, a) for a in _received(one) for b in _received(other))


def _received(shape: Shape) -> set[type]:
    """With what it is in JSON: lists in the place of tuples and sets."""
    return {list if kind in (tuple, set, frozenset) else kind for kind in shape.kinds}


def _hints_of(kind: Any, *, marked: bool = False) -> dict[str, Any] | None:
    """``marked``: with what stands around them, such as NotRequired."""
    try:
        return typing.get_type_hints(kind, include_extras=marked)
    except Exception:  # names that only a checker knows
        return None


def _leaf(kind: type) -> Shape:
    try:
        isinstance(None, kind)
    except TypeError:  # a protocol that is for checkers only
        return ANY
    return LeafShape(kind.__name__, (int, float) if kind is float else (kind,))


def _shown(note: Any) -> str:
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(note)).replace("~", "")
