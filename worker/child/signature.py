"""The signature of a task as its worker announces it. Decided once per function, when it is loaded."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Container
from typing import Any, Final

from ...common.contract.signatures import (
    SIGNATURE_BYTES_MAX,
    TEXT_CHARS_MAX,
    ParameterRow,
    packed,
)
from ...common.values.annotations import shape_of_note
from ...common.values.brief import brief
from ...common.values.forms import ANY, NO_DEFAULT, form_of
from ...common.values.secret_names import HIDDEN, is_secret
from ...common.values.shapes import Shape

MODULES: Final = re.compile(r"\b(?:\w+\.)+(?=\w)")


def signature_of(
    function: Callable[..., Any], filled: Container[str] = (), *, of_many: bool = False
) -> bytes:
    """Empty: nothing is known of it. ``filled``: the parameters that a worker fills in. ``of_many``: it is called with a list of many
    calls' arguments, each of which is one value of any form."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C
        return b""
    rows = [_row(function, one, of_many=of_many) for one in parameters if one.name not in filled]
    for tried in (rows, [row._replace(form=ANY) for row in rows]):
        if len(body := packed(tried)) <= SIGNATURE_BYTES_MAX:
            return body
    return b""


def _row(function: Callable[..., Any], one: inspect.Parameter, *, of_many: bool) -> ParameterRow:
    has_note = one.annotation is not one.empty and not of_many
    return ParameterRow(
        name=one.name,
        kind=int(one.kind),
        note=_note(one.annotation) if has_note else "",
        default=None if one.default is one.empty else _default(one),
        form=form_of(shape_of_note(function, one.annotation), fields_of_model) if has_note else ANY,
    )


def _note(annotation: Any) -> str:
    """As people write it: without the modules of its names."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _cut(MODULES.sub("", text))


def _default(one: inspect.Parameter) -> str:
    """A default may be a secret, in code that others cannot read."""
    if one.default is not None and is_secret(one.name):
        return HIDDEN
    return _cut(brief(one.default, TEXT_CHARS_MAX))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"


def fields_of_model(model: Any) -> list[tuple[str, bool, Shape, Any]]:
    """Of a model of pydantic, under the names that its JSON has."""
    return [
        (
            field.alias or name,
            field.is_required(),
            shape_of_note(model, field.annotation),
            NO_DEFAULT if field.is_required() or field.default_factory is not None else field.default,
        )
        for name, field in model.model_fields.items()
    ]
