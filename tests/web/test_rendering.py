"""What others wrote is shown as text, whatever it holds, in every template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from tq.web.rendering import (
    FOLDER,
    TEXT_CHARS_MAX,
    beside,
    cut,
    environment,
    link,
    long_text,
    moment,
    term,
    with_code,
)

HOSTILE = '"><script>alert(1)</script>\x1b[2J\u202egnp.exe\x00\x9b31m\u2066'
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))


def rendered(source: str, **context: object) -> str:
    return environment().from_string(source).render(**context)


@pytest.mark.parametrize(
    "source", ["{{ x }}", '<a title="{{ x }}">', "{{ x|cut }}", "{{ x|long_text }}", "{{ x|first_line }}"]
)
def test_markup_controls_and_reordering_are_text(source: str) -> None:
    text = rendered(source, x=HOSTILE)
    assert "<script" not in text
    assert '"><' not in text.removeprefix('<a title="')
    assert not {"\x1b", "\u202e", "\x00", "\x9b", "\u2066"} & set(text)


def test_text_in_a_link_stays_in_its_part_of_the_address() -> None:
    assert rendered("{{ x|part }}", x="../a?b#c") == "..%2Fa%3Fb%23c"
    assert link("/tasks", where="a&b=<c>", array="") == "/tasks?where=a%26b%3D%3Cc%3E"


def test_a_term_means_the_name_alone_whatever_signs_it_has() -> None:
    assert term("queue", "img.*") == "'queue=img.[*]'"
    assert term("queue", "mail") == "queue=mail"


def test_what_is_not_there_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(UndefinedError):
        rendered("{{ x }}")


def test_a_line_of_a_megabyte_is_cut_and_says_so() -> None:
    assert len(cut("y" * 1_048_576)) < 400
    text = long_text("y" * 1_048_576)
    assert len(text) < TEXT_CHARS_MAX + 100
    assert "983,040 more characters" in text


def test_commands_in_a_sentence_are_code_and_the_rest_stays_text() -> None:
    assert with_code("it failed; `tq show <1>` has it") == "it failed; <code>tq show &lt;1&gt;</code> has it"
    assert with_code("a ` alone <b>") == "a ` alone &lt;b&gt;"
    assert "\x1b" not in with_code("`\x1b[2J`")


def test_a_moment_is_readable_without_a_script() -> None:
    assert ">2026-11-29 20:00:00 UTC</time>" in moment(1795982400.25)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda one: one.name)
def test_no_template_trusts_text_or_has_a_script_or_style_inside(file: Path) -> None:
    text = file.read_text("utf-8")
    assert "|safe" not in text
    assert "autoescape" not in text
    assert not re.search(r"""\son\w+=|style=|<style|javascript:|<script(?! src="/static/)""", text)
    assert not re.search(r"[\w-]=\{\{", text), "an attribute without quotation marks"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda one: one.name)
def test_every_form_posts_with_the_token_of_the_log_in(file: Path) -> None:
    """But for the two that log in, and the filter, which changes nothing."""
    for form in re.findall(r"<form.*?</form>", file.read_text("utf-8"), re.DOTALL):
        if file.name in ("login.html", "open.html") or 'method="get"' in form:
            continue
        assert 'method="post"' in form
        assert 'name="csrf"' in form


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda one: one.name)
def test_a_button_opens_the_question_of_its_own_row_after_rows_have_come_and_gone(file: Path) -> None:
    """Rows stand still under the pointer: one that stays and one that is new could have the same number."""
    for id in re.findall(r"ui\.ask\((.*?), \"[A-Z]", file.read_text("utf-8")):
        assert "loop" not in id


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (
            "all 9 slots that serve it are busy; `tq why` counts the tasks before it",
            "all 9 slots that serve it are busy",
        ),
        (
            "it failed 2 s ago, at attempt 1: KeyError: 'a'; `tq show 01a2-b` has the traceback, `tq retry 01a2-b` makes it ready again",
            "it failed 2 s ago, at attempt 1: KeyError: 'a'",
        ),
        ("it was cancelled 2 s ago; `tq retry 01a2-b` makes it ready again", "it was cancelled 2 s ago"),
        *(
            (sentence, sentence)
            for sentence in (
                "queue mail is paused; `tq resume mail` lets it run",
                "no worker serves it; start one with `tq-worker --connect … shop`",
                "it failed: ValueError: see `tq show` of the other; it says more",
            )
        ),
    ],
)
def test_a_sentence_does_not_name_the_command_for_what_stands_beside_it(sentence: str, shown: str) -> None:
    assert beside(sentence) == shown


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_on_a_telephone_each_number_has_its_name_before_it(template: Path) -> None:
    """There a row is a card without a heading."""
    for table in re.findall(r'<table class="[^"]*stacked.*?</table>', template.read_text("utf-8"), re.DOTALL):
        nameless = [
            cell for cell in re.findall(r'<td class="n\b[^>]*>(?!</td>)', table) if "data-name=" not in cell
        ]
        assert nameless == []
