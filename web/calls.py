"""The call of a task as lines that a person edits, and lines as a call. Pure.

An argument is a line of JSON; a keyword argument has its name before it. What must not be seen (``[hidden]``), what JSON cannot say and
what is too long for a form (``[as it was: datetime]``) stays in the server: a line that was not changed means the value of the task that
it came from, and so does a mark inside a line of which something else was changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..client.cli.output import DECIMAL_BITS_MAX
from ..client.cli.redact import HIDDEN, redacted
from ..client.cli.submit import as_argument
from ..common.errors import InvalidArgument

IN_A_FIELD: Final = 'write [1, 2], {"size": 256} or "a text"'  # where a line is meant as JSON and is none
KEPT: Final = "[as it was: "
SHOWN_MAX: Final = 4_000  # characters or items of one value: a form has 64 KiB
PLAIN: Final = (str, int, float, bool, type(None))


class EditedCall(NamedTuple):
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


NOTHING: Final = EditedCall((), {})


def lines_of(call: EditedCall) -> tuple[list[str], list[str]]:
    """Positional arguments, and keyword arguments with their names, a line each; secrets hidden."""
    named = redacted(dict(call.kwargs))
    return [line_of(one) for one in redacted(list(call.args))], [
        f"{name}={line_of(named[name])}" for name in named
    ]


def call_of(args: str, kwargs: str, like: EditedCall = NOTHING) -> EditedCall:
    """What a form's texts mean. ``like``: the call whose lines they were. Raises InvalidArgument."""
    shown, named = lines_of(like)
    known = _meant([*shown, *named], [*like.args, *like.kwargs.values()])
    seen, seen_named = redacted(list(like.args)), redacted(dict(like.kwargs))
    placed = [
        _value(line, line, known, like.args[place : place + 1], seen[place : place + 1])
        for place, line in enumerate(_lines(args))
    ]
    given: dict[str, Any] = {}
    for line in _lines(kwargs):
        name, equals, text = (part.strip() for part in line.partition("="))
        if not equals or not name.isidentifier() or name in given:
            raise InvalidArgument(f"{line!r:.80}: a keyword argument is name=JSON, each on its line, once")
        there = [name] if name in like.kwargs else []
        given[name] = _value(
            line, text, known, [like.kwargs[one] for one in there], [seen_named[one] for one in there]
        )
    return EditedCall(placed, given)


def edited(text: str, there: Any, seen: Any) -> Any:
    """The value of a line that was changed. ``there``: what it was; ``seen``: what was shown of it. Raises InvalidArgument."""
    return _merged(as_argument(text, IN_A_FIELD), there, seen)


def as_code(name: str, call: EditedCall, options: Mapping[str, Any]) -> str:
    """Python that submits the same; what is hidden or cannot be written stands there as ``...``."""
    words = ", ".join([repr(name), *(f"{option}={value!r}" for option, value in options.items())])
    args = [*map(_python, redacted(list(call.args)))]
    args += [f"{key}={_python(value)}" for key, value in redacted(dict(call.kwargs)).items()]
    return f"import tq\n\napp = tq.App()\nhandle = app.named({words}).submit({', '.join(args)})"


def _lines(text: str) -> Iterable[str]:
    return filter(None, (line.strip() for line in text.splitlines()))


def line_of(value: Any) -> str:
    """A value as a line of JSON."""
    return json.dumps(_shown(value), ensure_ascii=False)


def _meant(lines: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """What a line means wherever it stands: not a mark that stands for several values."""
    often = Counter(lines)
    return {
        line: value
        for line, value in zip(lines, values, strict=True)
        if often[line] == 1 or not (HIDDEN in line or KEPT in line)
    }


def _shown(value: Any) -> Any:
    if isinstance(value, (str, list, dict)) and len(value) > SHOWN_MAX:
        return f"{KEPT}{type(value).__name__} of {len(value):,}]"
    if type(value) is int and value.bit_length() > DECIMAL_BITS_MAX:
        return f"{KEPT}int of {value.bit_length():,} bits]"
    if type(value) in PLAIN:
        return value
    if type(value) is list:
        return [_shown(one) for one in value]
    if type(value) is dict and all(type(name) is str for name in value):
        return {name: _shown(one) for name, one in value.items()}
    return f"{KEPT}{type(value).__name__}]"


def _value(line: str, text: str, known: Mapping[str, Any], there: Sequence[Any], seen: Sequence[Any]) -> Any:
    """``there``: what the argument was, if there was one; ``seen``: what was shown of it."""
    if there and text == line_of(seen[0]):
        return there[0]  # in its own place: another one may be shown as the same mark
    if line in known:
        return known[line]
    return (
        _merged(as_argument(text, IN_A_FIELD), *there, *seen)
        if there
        else _merged(as_argument(text, IN_A_FIELD), None, None)
    )


def _merged(value: Any, there: Any, seen: Any) -> Any:
    """The value, with what a mark stands for taken from where it stood."""
    if isinstance(value, str) and (HIDDEN in value or value.startswith(KEPT)):
        if value == _shown(seen):
            return there
        raise InvalidArgument(
            f"{value[:80]!r}: nothing of that kind was hidden in that place; write what is meant"
        )
    if isinstance(value, list):
        pairs = zip(there, seen, strict=True) if isinstance(there, list) else ()
        beside = dict(enumerate(pairs))
        return [_merged(one, *beside.get(place, (None, None))) for place, one in enumerate(value)]
    if isinstance(value, dict):
        below = {name: (there[name], seen[name]) for name in there} if isinstance(there, dict) else {}
        return {name: _merged(one, *below.get(name, (None, None))) for name, one in value.items()}
    return value


def _python(value: Any) -> str:
    """As Python writes it; ``...`` for what may not be seen or cannot be written."""
    if isinstance(value, str):
        return "..." if HIDDEN in value else repr(value)
    if type(value) is int and value.bit_length() > DECIMAL_BITS_MAX:
        return hex(value)  # Python writes no longer number in decimal
    if type(value) in PLAIN:
        return repr(value)
    if type(value) is list:
        return f"[{', '.join(map(_python, value))}]"
    if type(value) is dict:
        return f"{{{', '.join(f'{name!r}: {_python(one)}' for name, one in value.items())}}}"
    return "..."
