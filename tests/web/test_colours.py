"""The output of a task: colours are kept, and nothing else that a terminal would obey."""

from __future__ import annotations

import re

import pytest
from tq.web.colours import SPANS_MAX, coloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[32mok\x1b[0m done", '<span class="t-green">ok</span> done'),
        ("\x1b[1;31mE\x1b[22m!\x1b[39m.", '<span class="t-red t-bold">E</span><span class="t-red">!</span>.'),
        ("\x1b[mx", "x"),
        ("\x1b[38;5;196mx\x1b[38;2;1;2;3my\x1b[94mz", 'xy<span class="t-blue">z</span>'),
        ("a\r\nb\tc", "a\nb\tc"),
    ],
)
def test_colours_become_classes(text: str, shown: str) -> None:
    assert coloured(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1b[31m<script>\x1b[0m",
        "\u202egnp",
        "\x9b31m",
        "\x1b[" + "1;" * 40 + "m",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    shown = coloured(text)
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown)
    assert "<script" not in shown


def test_a_text_of_nothing_but_colours_has_a_bound() -> None:
    text = "\x1b[31ma\x1b[32mb" * SPANS_MAX
    shown = coloured(text)
    assert shown.count("<span") <= SPANS_MAX + 1
    assert re.sub(r"<[^>]+>", "", shown).startswith("ab" * 100)
