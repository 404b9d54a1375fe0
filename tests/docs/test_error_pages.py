"""docs/errors.md: every error has its section, every section its error, and each is found by the error's name."""

from __future__ import annotations

import builtins
import copy
import importlib
import pickle
import pkgutil
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import tq
from click.testing import CliRunner
from tq.client.cli import main
from tq.client.cli.help import PAGE, sections
from tq.common import errors
from tq.common.domain import directives
from tq.common.errors import TqError, see, topic

NO_ERRORS = {"exit-statuses"}  # sections of the second level that are more than a heading
INSIDE = {
    errors.TimeLimit,
    errors.CancelRequested,
    errors.LeaseLost,
    directives.Suspended,
}  # raised in a task by tq
PARTS = ("client", "common", "master", "tasks", "worker")


def below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith("tq."):
            yield one
            yield from below(one)


def all_kinds() -> list[type[BaseException]]:
    """Every class that tq raises on purpose, wherever it is defined."""
    for part in PARTS:
        package = importlib.import_module(f"tq.{part}")
        for found in pkgutil.walk_packages(package.__path__, f"tq.{part}."):
            importlib.import_module(found.name)
    bases = (TqError, directives.Directive)
    kinds = [TqError, *(one for base in bases for one in below(base))]
    return sorted(
        {*kinds, *INSIDE, TimeoutError},
        key=lambda one: one.__name__,
    )


KINDS = all_kinds()
PAGE_SECTIONS = sections(PAGE.read_text("utf-8"))
SECTIONS = {name: text for name, text in PAGE_SECTIONS.items() if text.startswith("### ")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_section_that_says_what_to_do(kind: type[BaseException]) -> None:
    assert topic(kind) in SECTIONS, f"docs/errors.md: write a section ### {kind.__name__}"
    text = SECTIONS[topic(kind)]
    inside_a_task = not issubclass(kind, (TqError, TimeoutError))
    if not inside_a_task and kind is not TqError:
        assert "**Causes.** " in text
        assert "**What to do.** " in text
        assert "```text\n" in text, "show a message"


@pytest.mark.parametrize("kind", KINDS)
def test_tq_help_prints_the_section_by_any_spelling_of_its_name(kind: type[BaseException]) -> None:
    name = re.search(r"^### (.+)$", SECTIONS[topic(kind)], re.MULTILINE)
    assert name is not None
    for spelling in (topic(kind), name[1]):
        done = CliRunner().invoke(main, ["help", spelling], prog_name="tq")
        assert done.exit_code == 0
        assert name[1] in done.output
    first = SECTIONS[topic(kind)].splitlines()[2].split()[0].strip("`[]")
    assert first in done.output


def test_no_section_is_of_an_error_that_is_not_there() -> None:
    assert set(SECTIONS) == {topic(kind) for kind in KINDS}


def test_a_section_stands_under_the_name_of_its_class() -> None:
    named = {kind.__name__ for kind in KINDS}
    for text in SECTIONS.values():
        title = text.splitlines()[0].removeprefix("### ")
        assert title in named
        assert hasattr(tq, title) or hasattr(builtins, title), f"{title} is not public"


def test_every_topic_is_listed() -> None:
    listed = CliRunner().invoke(main, ["help"], prog_name="tq").output
    assert not [name for name in {*SECTIONS, *NO_ERRORS} if name not in listed]


def test_an_unknown_topic_is_answered_with_the_nearest() -> None:
    done = CliRunner().invoke(main, ["help", "unreachible"], prog_name="tq")
    assert (done.exit_code, "did you mean unreachable?" in done.output) == (2, True)
    done = CliRunner().invoke(main, ["help", "zzzzzz"], prog_name="tq")
    assert (done.exit_code, "`tq help` lists them" in done.output) == (2, True)


def test_a_topic_may_be_a_command_and_retry_is_both() -> None:
    assert "Usage: tq queues" in CliRunner().invoke(main, ["help", "queues"], prog_name="tq").output
    both = CliRunner().invoke(main, ["help", "retry"], prog_name="tq").output
    assert "tq.Retry(after=30)" in both
    assert "Usage: tq retry" in both


# where the section is named


def test_a_traceback_names_the_section_and_the_message_stays_a_sentence() -> None:
    error = tq.Unreachable("no master is there")
    assert str(error) == "no master is there"
    assert traceback.format_exception(error)[-2:] == [
        "tq.common.errors.Unreachable: no master is there\n",
        "see: tq help unreachable\n",
    ]


def test_an_error_of_ones_own_is_explained_by_its_base() -> None:
    class Unpaid(tq.TaskConflict):
        pass

    assert see(Unpaid) == "see: tq help taskconflict"


def test_a_note_of_the_callers_stays_with_its_error() -> None:
    first, second = tq.Unreachable("one"), tq.Unreachable("two")
    first.add_note("while asking for the weather")
    assert first.__notes__ == ["see: tq help unreachable", "while asking for the weather"]
    assert second.__notes__ == ["see: tq help unreachable"]


def test_raising_stores_no_note() -> None:
    error = tq.TaskError("it failed")
    assert "__notes__" not in error.__dict__


@pytest.mark.parametrize(
    "error",
    [
        tq.Unreachable("no master"),
        tq.NotSerializable("argument x", "a Thing", "send its fields"),
        tq.TaskError("bad", type="ValueError", traceback="Traceback …", detail={"code": 1}),
        tq.Retry("later", after=3),
        tq.Snooze(60),
        tq.Discard("gone"),
    ],
)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301 - our own
def test_an_error_survives_copy_and_pickle(error: Exception, again: object) -> None:
    """As it must when it is raised in a pool's process."""
    assert callable(again)
    other = again(error)
    assert (type(other), str(other), other.args) == (type(error), str(error), error.args)
    assert other.__dict__ == error.__dict__


def test_the_page_is_installed_beside_the_package() -> None:
    assert tq.__file__ is not None
    assert Path(tq.__file__).resolve().parent / "docs" / "errors.md" == PAGE.resolve()
    assert PAGE.exists()
