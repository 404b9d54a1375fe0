"""What was typed into the fields of a form, as a call. Pure.

What stands in a field is read as its kind says, then judged by the shape of the annotation, as a submit from Python is. An error begins
with the parameter, and what it is inside it: ``order.price: expected float, got 'tea'``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

from ..client.cli.redact import HIDDEN, redacted
from ..common.contract.signatures import ParameterKind, ParameterRow
from ..common.errors import InvalidArgument
from ..common.values.forms import shape_of
from ..common.values.shapes import received
from .calls import KEPT, EditedCall, call_of, edited
from .fields import PREFIX, Field, fields_of, in_words

WHOLE: Final = re.compile(r"[+-]?\d{1,4000}")
LEFT_OUT: Final = object()  # it has a default

Texts = Mapping[str, str]


def call_of_fields(
    rows: Sequence[ParameterRow], texts: Texts, like: Mapping[str, Any] | None = None
) -> EditedCall:
    """``texts``: by the name of the field; ``like``: see ``fields_of``. Raises InvalidArgument."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    missing = ""  # the first that was left out: nothing can come behind it by its place
    for row, one in zip(rows, fields_of(rows, like), strict=True):
        there = None if like is None else like.get(row.name)
        if row.kind == ParameterKind.REST:
            rest = [_judged(row, value) for value in _rest(one, texts, EditedCall(there or (), {})).args]
            if rest and missing:
                raise InvalidArgument(
                    f"{missing}: a value is missing, because values of *{row.name} come behind it"
                )
            args += rest
            continue
        if row.kind == ParameterKind.MORE:
            more = _rest(one, texts, EditedCall((), there or {})).kwargs
            if twice := more.keys() & ({other.name for other in rows} - {row.name}):
                raise InvalidArgument(f"{row.name}: {min(twice)} has a field of its own")
            kwargs |= {name: _judged(row, value) for name, value in more.items()}
            continue
        value = _read(one, texts, there)
        if value is LEFT_OUT:
            missing = missing or row.name
        elif row.kind == ParameterKind.BY_NAME or (missing and row.kind == ParameterKind.EITHER):
            kwargs[row.name] = _judged(row, value)
        elif missing:
            raise InvalidArgument(f"{missing}: a value is missing, because {row.name} comes behind it")
        else:
            args.append(_judged(row, value))
    return EditedCall(args, kwargs)


def parameter_of(error: str) -> str:
    """The parameter with which an error begins, or anything else."""
    return re.split(r"[.:\[]", error, maxsplit=1)[0]


def _judged(row: ParameterRow, value: Any) -> Any:
    return received(shape_of(row.form), value, row.name)


def _rest(one: Field, texts: Texts, there: EditedCall) -> EditedCall:
    text = texts.get(one.name, "")
    try:
        return call_of("", text, there) if there.kwargs or "name=" in one.hint else call_of(text, "", there)
    except InvalidArgument as error:
        raise InvalidArgument(f"{one.label}: {error}") from None


def _read(one: Field, texts: Texts, there: Any) -> Any:
    """The value of a field, ``LEFT_OUT`` if nothing stands in one that has a default."""
    path = one.name.removeprefix(PREFIX)
    if one.kind == "group":
        known = there if isinstance(there, dict) else {}
        parts = {
            part.label: _read(part, texts, known.get(part.label))
            for part in one.fields
            if _is_typed(part, texts) or one.is_needed
        }
        found = {label: value for label, value in parts.items() if value is not LEFT_OUT}
        if found or one.is_needed:
            return found
        return LEFT_OUT if one.default is not None else None
    text = texts.get(one.name, "")
    if one.is_filled and _lines(text) == _lines(one.value):
        return there
    if not text.strip() and (nothing := _nothing(one)) is not None:
        return nothing[0]
    try:
        return _parsed(one, text, there)
    except InvalidArgument as error:
        raise InvalidArgument(f"{path}: {error}") from None
    except ValueError:
        raise InvalidArgument(
            f"{path}: expected {in_words(one.form)}, got {text.strip()[:80]!r}"
            if text.strip()
            else f"{path}: a value is missing; it is {one.what or 'anything'}"
        ) from None


def _is_typed(one: Field, texts: Texts) -> bool:
    return bool(texts.get(one.name, "")) or any(_is_typed(part, texts) for part in one.fields)


def _lines(text: str) -> list[str]:
    return text.splitlines()  # a browser ends them in its own way


def _nothing(one: Field) -> tuple[Any] | None:
    """What an empty field means; None: there is something to be typed."""
    if one.default is not None:
        return (LEFT_OUT,)
    if one.may_be_none:
        return (None,)
    if one.kind == "lines":
        return ([],)
    return ("",) if one.form == ["str"] else None


def _parsed(one: Field, text: str, there: Any) -> Any:
    """Raises ValueError, or InvalidArgument where there is more to say."""
    match one.kind:
        case "lines":
            return [_leaf(one.form[1][0], line.strip()) for line in text.splitlines() if line.strip()]
        case "choice":
            if text not in dict(one.choices):
                raise ValueError(text)
            return json.loads(text)
        case "json":
            if not text.strip():
                raise ValueError(text)
            return edited(text.strip(), there, redacted({one.label: there})[one.label])
    if one.form[0] == "str" and (HIDDEN in text or text.startswith(KEPT)):
        return edited(json.dumps(text), None, None)
    return _leaf(one.form[0], text)


def _leaf(word: str, text: str) -> Any:
    if word == "str":
        return text
    text = text.strip()
    if word == "int":
        if WHOLE.fullmatch(text) is None:
            raise ValueError(text)
        return int(text)
    readers: dict[str, Any] = {
        "float": float,
        "date": date.fromisoformat,
        "datetime": datetime.fromisoformat,
        "time": time.fromisoformat,
    }
    return readers[word](text)
