"""The parameters of a task as the fields of a form. Pure. ``filled_in.py`` reads what was typed into them.

A field shows what an annotation means: a number, a choice, a day, a text, lines, the fields of a class; else a line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Final

from ..client.cli.output import DECIMAL_BITS_MAX
from ..client.cli.redact import is_secret, redacted
from ..common.contract.signatures import ParameterKind, ParameterRow
from ..common.values.forms import shape_of
from .calls import SHOWN_MAX, EditedCall, line_of, lines_of

PREFIX: Final = "p."
NESTED_MAX: Final = 2  # classes within classes that have fields of their own; deeper ones are JSON
LEAVES: Final = ("str", "int", "float", "date", "datetime", "time")
INPUTS: Final = {"int": "number", "float": "number", "date": "date"}  # others are texts
LISTS: Final = ("list", "tuple", "set", "frozenset")
HINTS: Final = {"datetime": "2026-11-30T09:00:00+01:00", "time": "09:00"}


@dataclass(kw_only=True)
class Field:
    """``kind``: text, number, choice, date, lines, json, group, or rest (``*args``, ``**kwargs``). ``what``: the annotation; ``default``:
    as Python shows it, None: it has none."""

    name: str
    label: str
    kind: str
    what: str
    form: list[Any]
    default: str | None = None
    may_be_none: bool = False
    hint: str = ""
    value: str = ""
    is_filled: bool = False  # with what a task has: it stays as it was while the text is not changed
    is_wrong: bool = False
    choices: list[tuple[str, str]] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)

    @property
    def is_needed(self) -> bool:
        return self.default is None and not self.may_be_none and self.kind not in ("lines", "rest")

    @property
    def is_secret(self) -> bool:
        return is_secret(self.label)


def fields_of(rows: Sequence[ParameterRow], like: Mapping[str, Any] | None = None) -> list[Field]:
    """``like``: the values of a task, by parameter."""
    made = []
    for row in rows:
        has_it = like is not None and row.name in like
        if row.kind in (ParameterKind.REST, ParameterKind.MORE):
            made.append(_rest(row, like[row.name] if like is not None and has_it else None))
        else:
            one = _made(PREFIX + row.name, row.name, row.form, row.note, row.default, 0)
            made.append(_filled(one, like[row.name]) if like is not None and has_it else one)
    return made


def all_of(fields: Sequence[Field]) -> list[Field]:
    return [one for made in fields for one in (made, *all_of(made.fields))]


def by_parameter(rows: Sequence[ParameterRow], call: EditedCall) -> dict[str, Any] | None:
    """The values of a call by parameter; None if it does not fit, as after a change of the code."""
    args, kwargs, found = list(call.args), dict(call.kwargs), dict[str, Any]()
    for row in rows:
        if row.kind == ParameterKind.REST:
            found[row.name], args = args, []
        elif row.kind == ParameterKind.MORE:
            found[row.name], kwargs = kwargs, {}
        elif row.kind != ParameterKind.BY_NAME and args:
            found[row.name] = args.pop(0)
        elif row.kind != ParameterKind.BY_PLACE and row.name in kwargs:
            found[row.name] = kwargs.pop(row.name)
        elif row.is_needed:
            return None
    return None if args or kwargs else found


def in_words(form: list[Any]) -> str:
    form, may_be_none = _without_none(form)
    return shape_of(form).name + (" or None" if may_be_none else "")


def _rest(row: ParameterRow, there: Any) -> Field:
    is_named = row.kind == ParameterKind.MORE
    hint = "name=JSON, a line each" if is_named else "JSON, a line each"
    args, kwargs = lines_of(EditedCall((), there or {}) if is_named else EditedCall(there or (), {}))
    return Field(
        name=PREFIX + row.name,
        label=row.name,
        kind="rest",
        what=row.note,
        form=row.form,
        hint=hint,
        value="\n".join([*args, *kwargs]),
        is_filled=there is not None,
    )


def _made(name: str, label: str, form: list[Any], what: str, default: str | None, depth: int) -> Field:
    form, may_be_none = _without_none(form)
    made = Field(
        name=name, label=label, kind="json", what=what, form=form, default=default, may_be_none=may_be_none
    )
    match form:
        case [("fields" | "model"), str(), list(parts)] if depth < NESTED_MAX and parts:
            made.kind = "group"
            made.fields = [
                _made(
                    f"{name}.{one}", one, part, in_words(part), None if needed else "".join(said), depth + 1
                )
                for one, needed, part, *said in parts  # a worker of an earlier version does not say the default
            ]
        case ["one", list(values)]:
            made.kind, made.choices = "choice", [(json.dumps(one), str(one)) for one in values]
        case ["bool"]:
            made.kind, made.choices = "choice", [("true", "True"), ("false", "False")]
        case [str(word), [str(element), *_]] if word in LISTS and element in LEAVES:
            made.kind, made.hint = "lines", "a line each"
        case [str(word), *_] if word in LEAVES:
            made.kind, made.hint = INPUTS.get(word, "text"), HINTS.get(word, "")
        case _:
            made.hint = "JSON"
    return made


def _filled(made: Field, value: Any) -> Field:
    """With a value that a task has, as it may be seen. What its field cannot show is a line of JSON, with a mark for what JSON cannot say."""
    seen = redacted({made.label: value})[made.label]
    if made.kind == "group" and isinstance(seen, dict) and seen.keys() <= {one.label for one in made.fields}:
        made.fields = [_filled(one, value[one.label]) if one.label in value else one for one in made.fields]
        return made
    text = _text(made, seen) if seen == value else None
    if text is None:
        made.kind, made.fields, text = "json", [], line_of(seen)
    made.value, made.is_filled = text, True
    return made


def _text(made: Field, value: Any) -> str | None:
    """As its field has it; None: it cannot."""
    match made.kind, value:
        case "choice", _:
            text = line_of(value)
            return text if text in dict(made.choices) else None
        case "lines", list() | tuple() | set() | frozenset() if value:
            lines = [_leaf_text(one) for one in value]
            is_shown = all(one and one == one.strip() and one.isprintable() for one in lines)
            return (
                "\n".join(map(str, lines))
                if is_shown and sum(map(len, map(str, lines))) <= SHOWN_MAX
                else None
            )
        case (("text" | "number" | "date"), _):
            text = _leaf_text(value) or ""
            is_shown = text.isprintable() and text == text.strip() and 0 < len(text) <= SHOWN_MAX
            return text if is_shown else None
    return None


def _leaf_text(value: Any) -> str | None:
    if isinstance(value, date | time):
        return value.isoformat()
    if type(value) is int and value.bit_length() > DECIMAL_BITS_MAX:
        return None
    return str(value) if type(value) in (str, int, float) else None


def _without_none(form: list[Any]) -> tuple[list[Any], bool]:
    match form:
        case ["union", list(members)] if ["none"] in members:
            others = [one for one in members if one != ["none"]]
            return (others[0], True) if len(others) == 1 else (["union", others], True)
    return form, False
