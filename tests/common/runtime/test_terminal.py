"""The writer for terminals: no text of others steers one, programs get exact values, no locale makes it fail."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table
from rich.text import Text
from tq.common.runtime.cleaning import clean, clean_line
from tq.common.runtime.console import CleanConsole
from tq.common.runtime.terminal import as_json

from ...properties import examples

HOSTILE = [
    "\x1b[2J",  # clears the screen
    "\x1b]0;title\x07",  # OSC: sets the title
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",  # OSC 8: a link
    "\x9b2J",  # C1: the same as ESC [
    "\x9d0;title\x9c",
    "\u202egnp.exe\u202c",  # bidi: reads as another name
    "\u2066\u2069\u200e\u200f\u061c",
    "\u2028\u2029",
    "over\rwritten\b\b\x7f\0",
    "\udc9b2J",  # a byte that is no UTF-8, as Python has it
]


def is_harmless(text: str) -> bool:
    return all(unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in text)


@given(st.text() | st.sampled_from(HOSTILE))
def test_cleaned_text_has_nothing_that_a_terminal_obeys(text: str) -> None:
    assert is_harmless(clean_line(text))
    assert is_harmless(clean(text).replace("\n", "").replace("\t", ""))
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("text", ["Grüße, 日本 😀", "10\u00a0000 €", "a\n\tb\n", "全角\u3000空白"])
def test_text_in_any_language_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_what_is_taken_away_is_seen_to_be_missing() -> None:
    assert clean("a\x1b[2Jb\x9bc\u202ed\r\ne\r") == "a␛[2Jb\ufffdc\ufffdd\ne␍"
    assert clean_line("a\nb\tc") == "a␊b␉c"


@examples(40)
@given(
    st.recursive(
        st.text() | st.sampled_from(HOSTILE),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_the_same_value_and_harmless(value: object) -> None:
    shown = as_json(value, indent=2)
    assert json.loads(shown) == value
    assert is_harmless(shown.replace("\n", ""))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_and_a_bar_show_the_text_of_others_cleaned(text: str) -> None:
    written = io.StringIO()
    console = CleanConsole(file=written, force_terminal=True, color_system=None, width=200)
    table = Table(text, "other")
    table.add_row(text, Text.from_ansi(f"\x1b]8;;http://evil.example\x1b\\{text}\x1b]8;;\x1b\\"))
    console.print(table)
    console.print(text, Text(text, style="link http://evil.example"))
    assert is_harmless(written.getvalue().replace("\n", ""))
    assert "evil.example\x1b" not in written.getvalue()
    with Live(Text(text), console=console, auto_refresh=False):
        pass
    assert text not in written.getvalue()


PROGRAM = """
import sys
from tq.common.runtime.terminal import console, say, write, write_exact, write_json, write_line
for argument in sys.argv[1:]:
    text = argument.encode().decode("unicode_escape")
    {0}
"""


def run(line: str, text: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own, into pipes."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(line), text.encode("unicode_escape").decode()],
        capture_output=True,
        timeout=30,
        check=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))},
            **environment,
        },
    )


END = "that was all"
ALL = "write(text); write_line(text); say(text); write_json(text); write_exact(text); console().print(text); console(stderr=True).print(text)"


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "utf-8:surrogateescape"},
    ],
    ids=str,
)
def test_no_locale_makes_it_fail(environment: dict[str, str]) -> None:
    done = run(ALL, "Grüße → 日本 😀 …\n", **environment)
    assert done.stdout.count(b"\n") >= 6
    assert b"Traceback" not in done.stderr


def test_a_result_into_a_pipe_is_exact() -> None:
    text = "\x1b[2J\x9b\u202e\r\n"
    assert run("write_exact(text)", text).stdout == text.encode()
    assert run("write_exact(bytes(range(256)))", text).stdout == bytes(range(256))


@pytest.mark.parametrize("line", [*ALL.split("; "), "write_exact(text.encode())"])
def test_nothing_of_it_reaches_a_terminal(line: str) -> None:
    texts = [one.encode("unicode_escape").decode() for one in HOSTILE if "\udc9b" not in one]
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(line), *texts],
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "NO_COLOR": "1", "TERM": "dumb"},
            timeout=30,
            check=True,
        )
        os.write(theirs, END.encode())
        shown = ""
        while END not in shown:
            shown += os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert is_harmless(shown.replace("\r\n", "").replace("\n", ""))
