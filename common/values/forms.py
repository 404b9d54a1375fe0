"""What values of an annotation look like, as data: a worker announces it, and a program that has no such class makes a form of it. Pure.

::

    Order ──annotations──► shape ──form_of──► ["fields", "Order", …] ── the wire ──► shape_of ──► a shape again

The shape at the other end judges as the one here does; only where this makes an object of a class, that leaves plain data. What a
form does not say, or is of another version, is taken as it is: the worker judges it then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final

from .brief import brief
from .secret_names import HIDDEN, is_secret
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
)

DEPTH_MAX: Final = 5
FIELDS_MAX: Final = 100
ANY: Final = ["any"]
ANYTHING: Final = LeafShape("anything")
LEAVES: Final[dict[str, LeafShape]] = {
    "str": LeafShape("str", (str,)),
    "int": LeafShape("int", (int,)),
    "float": LeafShape("float", (int, float)),
    "bool": LeafShape("bool", (bool,)),
    "none": LeafShape("None", (type(None),)),
    "date": LeafShape("date", (date,)),
    "datetime": LeafShape("datetime", (datetime,)),
    "time": LeafShape("time", (time,)),
    "list": LeafShape("list", (list,)),
    "dict": LeafShape("dict", (dict,)),
}
WORDS: Final = {shape.classes: word for word, shape in LEAVES.items()}
MAKERS: Final[dict[str, Callable[..., Any]]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
KINDS: Final[dict[str, frozenset[type]]] = {
    "list": frozenset({list}),
    "tuple": frozenset({tuple}),
    "set": frozenset({set}),
    "frozenset": frozenset({frozenset}),
}
JSON_TEXTS: Final = ("date", "datetime", "time")
CHOICES: Final = (str, int, bool, type(None))

NO_DEFAULT: Final = object()
DEFAULT_CHARS_MAX: Final = 80

FieldsOf = Callable[[Any], list[tuple[str, bool, Shape, Any]]]


def form_of(shape: Shape, fields_of_model: FieldsOf, depth: int = 0, *, is_json: bool = False) -> list[Any]:
    """``fields_of_model``: name, whether it is needed, shape and default of each field of a model of pydantic. ``is_json``: within such a
    model, which travels as its JSON."""

    def inner(one: Shape) -> list[Any]:
        return form_of(one, fields_of_model, depth + 1, is_json=is_json or isinstance(shape, ModelShape))

    def fields(word: str, name: str, found: list[tuple[str, bool, Shape, Any]]) -> list[Any]:
        if len(found) > FIELDS_MAX:
            return ANY
        return [
            word,
            name,
            [[one, needed, inner(part), *_default(one, value)] for one, needed, part, value in found],
        ]

    if depth > DEPTH_MAX:
        return ANY
    match shape:
        case LeafShape():
            word = WORDS.get(shape.classes, "any")
            return ["str", word] if is_json and word in JSON_TEXTS else [word]
        case LiteralShape():
            return _choice(list(shape.values))
        case EnumShape():
            return _choice([one.value if shape.by_value else one.name for one in shape.kind])
        case ListShape():
            word = next((word for word, make in MAKERS.items() if make is shape.make), "list")
            return [word, inner(shape.element)]
        case TupleShape():
            return ["parts", shape.name, [inner(one) for one in shape.parts], list(shape.names)]
        case DictShape():
            return ["map", inner(shape.key), inner(shape.value)]
        case FieldsShape():
            found = [
                (name, name in shape.needed, one, shape.defaults.get(name, NO_DEFAULT))
                for name, one in shape.shapes.items()
            ]
            return fields("fields", shape.name, found)
        case ModelShape():
            return fields("model", shape.name, fields_of_model(shape.kind))
        case UnionShape():
            return ["union", [inner(one) for one in shape.members]]
    return ANY


def shape_of(form: Any, depth: int = 0) -> Shape:
    """Anything at all for what is not understood."""

    def inner(one: Any) -> Shape:
        return shape_of(one, depth + 1)

    if depth > DEPTH_MAX + 1:
        return ANYTHING
    match form:
        case [str(word)] if word in LEAVES:
            return LEAVES[word]
        case ["str", str()]:
            return LEAVES["str"]
        case ["one", list(values)] if values and all(type(one) in CHOICES for one in values):
            return LiteralShape(f"one of {', '.join(map(repr, values))}", tuple(values))
        case [("list" | "tuple" | "set" | "frozenset") as word, element]:
            of = inner(element)
            return ListShape(f"{word} of {of.name}", KINDS[word], MAKERS[word], of)
        case ["parts", str(name), list(parts), list(names)] if len(names) in (0, len(parts)):
            return TupleShape(
                name, tuple, lambda *made: made, [inner(one) for one in parts], tuple(map(str, names))
            )
        case ["map", key, value]:
            shapes = inner(key), inner(value)
            return DictShape(f"dict of {shapes[0].name} to {shapes[1].name}", *shapes)
        case [("fields" | "model"), str(name), list(fields)]:
            return _fields(name, fields, inner)
        case ["union", list(members)]:
            found = tuple(inner(one) for one in members)
            return UnionShape(" | ".join(one.name for one in found), found)
    return ANYTHING


def _default(name: str, value: Any) -> list[str]:
    """As a person is shown it, if that says something. A default may be a secret, in code that others cannot read."""
    if value is NO_DEFAULT:
        return []
    if value is not None and is_secret(name):
        return [HIDDEN]
    if isinstance(value, Enum):
        value = value.value if type(value.value) in (str, int) else value.name
    text = brief(value, DEFAULT_CHARS_MAX)
    return [] if text.startswith("<") or len(text) > DEFAULT_CHARS_MAX else [text]


def _choice(values: list[Any]) -> list[Any]:
    return (
        ["one", values] if len(values) <= FIELDS_MAX and all(type(one) in CHOICES for one in values) else ANY
    )


def _fields(name: str, fields: list[Any], inner: Callable[[Any], Shape]) -> Shape:
    shape = FieldsShape(name, dict, dict, lambda value: value)
    needed = set()
    for one in fields:
        match one:
            case [str(field), bool(is_needed), form, *_]:
                shape.shapes[field] = inner(form)
                needed |= {field} if is_needed else set()
            case _:
                return ANYTHING
    shape.needed = frozenset(needed)
    return shape
