"""The one way to stdout and stderr of all commands: what goes to people is cleaned, and no locale makes it fail.

Names, results, output and errors come from others: a task's argument may be ESC and a command for the terminal, a C1
control, a bidi override that makes a line read as another. So nothing else writes (a test looks), and::

    write, say      text for people: cleaned, wherever it goes, because a file is shown on a terminal later
    write_json      for programs: the same value, what could steer a terminal as \\uXXXX
    write_exact     a result: byte for byte into a pipe or a file, cleaned for a terminal
    console         tables, colours and bars, by rich: its own sequences, and cleaned text between them

A character that the encoding of the stream does not have is written as an escape.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from .cleaning import clean

if TYPE_CHECKING:
    from .console import CleanConsole

_COLOURS: Final = {"green": "32", "yellow": "33", "red": "31"}


# to the streams


def tolerant(stream: TextIO) -> TextIO:
    """The stream, which from now on writes an escape for what its encoding does not have."""
    if getattr(stream, "errors", None) in ("strict", "surrogateescape"):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]
    return stream


def prepare() -> None:
    """Of a program's streams, before anything else may write to them: click's help, or Python itself."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            tolerant(stream)


def write(text: str) -> None:
    """To stdout, for people."""
    tolerant(sys.stdout).write(clean(text))


def write_line(text: str, *, level: str = "", colour: str = "") -> None:
    """The same with a line end, at once. ``level``: what it begins with, coloured on a terminal."""
    line, stream = clean(text), tolerant(sys.stdout)
    if colour and line.startswith(level) and stream.isatty() and not os.environ.get("NO_COLOR"):
        line = f"\x1b[{_COLOURS[colour]}m{level}\x1b[0m{line.removeprefix(level)}"
    stream.write(line + "\n")
    stream.flush()


def say(text: str = "") -> None:
    """A line to stderr, at once."""
    stream = tolerant(sys.stderr)
    stream.write(clean(text) + "\n")
    stream.flush()


def ask(question: str) -> bool:
    """Yes or no, asked on stderr: stdout may be a program's. Raises click.Abort when the input ends."""
    import click

    tolerant(sys.stderr)
    return click.confirm(clean(question), err=True)


def ask_secret(question: str) -> str:
    """A line that is not shown."""
    import click

    return str(click.prompt(clean(question), hide_input=True))


def write_json(value: Any, *, indent: int | None = None, **options: Any) -> None:
    """A JSON document; text in any language stays readable."""
    tolerant(sys.stdout).write(as_json(value, indent=indent, **options) + "\n")


def as_json(value: Any, **options: Any) -> str:
    """JSON without a character that a terminal obeys; lone halves of characters are escaped, too."""
    text = json.dumps(value, ensure_ascii=False, **options)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def write_exact(data: str | bytes) -> None:
    """What a program reads, as it is; for eyes, when stdout is a terminal, cleaned."""
    stream = tolerant(sys.stdout)
    if stream.isatty():
        stream.write(clean(data if isinstance(data, str) else data.decode("utf-8", "replace")))
    elif isinstance(data, str):
        stream.write(data)
    else:
        stream.flush()
        stream.buffer.write(data)


def pass_on(data: bytes) -> None:
    """To stderr, what another program wrote to its own; cleaned for a terminal."""
    stream = tolerant(sys.stderr)
    if stream.isatty():
        stream.write(clean(data.decode("utf-8", "replace")))
    else:
        stream.flush()
        stream.buffer.write(data)
    stream.flush()


def console(*, stderr: bool = False, width: int | None = None) -> CleanConsole:
    """For tables, colours and bars."""
    from .console import CleanConsole

    tolerant(sys.stderr if stderr else sys.stdout)
    return CleanConsole(stderr=stderr, width=width, highlight=False)
