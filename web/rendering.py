"""Turns what a view has found into HTML. All text is cleaned and escaped here, in one place, and no template can forget it.

What others wrote (names, arguments, output, errors) may hold markup, sequences for a terminal, or characters that change the order of
what is read. Each value that a template writes passes ``finalize``: text is cleaned as for a terminal, then Jinja escapes it.
"""

from __future__ import annotations

import glob
import hashlib
import re
import shlex
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..client.cli.output import rate
from ..common.domain.durations import span
from ..common.domain.ids import show_id
from ..common.domain.model import State
from ..common.runtime.cleaning import clean
from ..common.values.failure import show_bytes
from .colours import coloured

FOLDER: Final = Path(__file__).parent
TEXT_CHARS_MAX: Final = 64 * 1024  # of one text, as much as is kept of an output
COMMANDS_OF_TASKS: Final = re.compile(
    r"[;,] `tq (?:show|why|retry) ?[-0-9a-f]*` [^`;,]*$|[;,] `tq (?:show|why|retry) ?[-0-9a-f]*` [^`;,]*(?=[;,])"
)
LINE_CHARS_MAX: Final = 300  # of a text in a table


def finalize(value: Any) -> Any:
    """What is written for a value: nothing for None, and no character that steers or reorders text."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    return clean(value) if isinstance(value, str) else value


def cut(text: object, chars: int = LINE_CHARS_MAX) -> str:
    """At most so many characters, with a sign that there are more."""
    shown = str(text)
    return shown if len(shown) <= chars else shown[:chars] + "…"


def long_text(text: object) -> str:
    """The beginning of a text, and how much more there is."""
    shown = str(text)
    more = len(shown) - TEXT_CHARS_MAX
    return shown if more <= 0 else f"{shown[:TEXT_CHARS_MAX]}\n… {more:,} more characters are not shown"


def first_line(text: object) -> str:
    return cut(str(text).strip().partition("\n")[0])


def with_code(text: object) -> Markup:
    """A sentence in which `commands` stand between backquotes, as the shell says it."""
    parts = clean(str(text)).split("`")
    if len(parts) % 2 == 0:  # one has no partner
        return escape("`".join(parts))
    said = (Markup("<code>{}</code>").format(one) if at % 2 else escape(one) for at, one in enumerate(parts))
    return Markup("").join(said)


def beside(sentence: str) -> str:
    """A sentence about a task without the clauses that name a command for what its view shows or offers by itself."""
    return COMMANDS_OF_TASKS.sub("", sentence)


def number(value: float | None) -> str:
    """``1,204``; a dash for nothing, so that what is there stands out."""
    return f"{value:,}" if value else "–"


def moment(seconds: float | None) -> Markup:
    """A moment as its age, which the page keeps counting; the moment itself, in the viewer's zone, is its title."""
    return _time(seconds, "ago")


def clock(seconds: float | None) -> Markup:
    """A moment as date and time in the viewer's zone."""
    return _time(seconds, "clock")


def since(seconds: float | None) -> Markup:
    """How long something goes on that began then."""
    return _time(seconds, "for")


def left(seconds: float | None) -> Markup:
    """How long it is until then."""
    return _time(seconds, "left")


def _time(seconds: float | None, kind: str) -> Markup:
    if seconds is None:
        return Markup("")
    iso = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    plain = f"{iso[:10]} {iso[11:19]} UTC"
    return Markup('<time datetime="{}" data-at="{}" data-as="{}">{}</time>').format(
        iso, f"{seconds:.3f}", kind, plain
    )


def link(path: str, **query: object) -> str:
    """A path of this page with its query; parts of the path are quoted by the template, with ``part``."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def term(word: str, value: str) -> str:
    """A term of a filter that means exactly this name, whatever characters it has."""
    return shlex.quote(f"{word}={glob.escape(value)}")


def part(text: object) -> str:
    """A text as one part of a path."""
    return quote(str(text), safe="")


def state_of(number: int) -> str:
    return str(State.from_number(number))


@cache
def version_of_static() -> str:
    """Of all static files: it stands in their addresses, so that a browser keeps them until they change."""
    digest = hashlib.sha256()
    for file in sorted((FOLDER / "static").rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        ago=moment,
        beside=beside, coloured=coloured, clock=clock, since=since, left=left, number=number, span=span, rate=rate, bytes=show_bytes, cut=cut,
        first_line=first_line, with_code=with_code, long_text=long_text, part=part, id=show_id, state=state_of,
    )  # fmt: skip
    made.globals.update(link=link, term=term, static=version_of_static())
    return made


def render(template: str, context: dict[str, Any]) -> Markup:
    return Markup(environment().get_template(template).render(context))  # noqa: S704 - it is made of escaped parts
