"""The public docstrings: what they say of arguments is what the code has. They are the reference, help() and an editor's hover."""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
import tq
from tq import managers
from tq.common.domain.lane_terms import TERMS
from tq.common.domain.model import TaskOptions
from tq.tasks import mail, shell

# Not called by programs: tq makes them, or raises them.
MADE_BY_TQ = {"Attempt", "Blob", "Context", "Handle", "Handles", "Progress", "Task"}
MANAGERS = (managers.BaseManager, managers.QueueManager, managers.SyncManager, managers.Server)
INSIDE = {"parts", "scheduled", "submitted"}  # what parts of the client call on one another
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Example):{1,2}$", re.MULTILINE)


def public() -> Iterator[tuple[str, Any]]:
    """Everything that a program may call by a public name, or that has a docstring to read."""
    things = {name: getattr(tq, name) for name in tq.__all__ if name[0] != "_"}
    for name, thing in {**things, **{kind.__name__: kind for kind in MANAGERS}}.items():
        yield name, thing
        if isinstance(thing, type) and not issubclass(thing, BaseException):
            ours = [kind for kind in thing.__mro__ if kind.__module__.startswith("tq.")]
            for member, found in {key: one for kind in ours for key, one in vars(kind).items()}.items():
                if member[0] != "_" and member not in INSIDE:
                    yield f"{name}.{member}", inspect.unwrap(getattr(found, "__func__", found))


PUBLIC = dict(public())
CALLED = {
    name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing) and inspect.getdoc(thing)
} | {name: thing for name, thing in PUBLIC.items() if isinstance(thing, type) and name not in MADE_BY_TQ}


def section(thing: Any, title: str) -> str:
    text = inspect.getdoc(thing) or ""
    parts = SECTION.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(title, "")


def explained(thing: Any, title: str = "Args") -> dict[str, str]:
    """The names that a section explains, each with its text on one line."""
    entries = re.split(r"^    ([\w.]+): ", section(thing, title), flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(entries[1::2], entries[2::2], strict=True)}


def test_every_argument_is_explained_and_no_other() -> None:
    functions = [name for name, thing in CALLED.items() if inspect.isfunction(thing)]
    for name in [*functions, "App", "BaseManager", "Executor", "Pool"]:
        arguments = [one for one in inspect.signature(CALLED[name]).parameters if one not in ("self", "cls")]
        if name == "App.task":
            options = [*TERMS, *(field.name for field in dataclasses.fields(TaskOptions))]
            arguments[-1:] = ["queue", "on_full", "unique", "cache", "cache_by", "index", *options]
        assert sorted(explained(CALLED[name])) == sorted(arguments), name


def test_the_defaults_of_the_options_are_those_of_the_code() -> None:
    said = explained(tq.App.task)
    for field in dataclasses.fields(TaskOptions):
        if isinstance(field.default, float | int):
            assert f"by default {field.default:g}" in said[field.name], field.name
    assert f'``"{TaskOptions().delivery}"`` (the default)' in said["delivery"]


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if dataclasses.is_dataclass(thing)])
def test_every_field_of_a_record_is_explained(name: str) -> None:
    assert list(explained(PUBLIC[name], "Attributes")) == [
        one.name for one in dataclasses.fields(PUBLIC[name])
    ]


def test_every_state_is_explained() -> None:
    assert list(explained(tq.State, "Attributes")) == [one.name for one in tq.State]


def test_whatever_a_program_may_call_has_a_docstring() -> None:
    kinds = (property, type)
    silent = [name for name, thing in PUBLIC.items() if not inspect.getdoc(thing)]
    assert not [name for name in silent if callable(PUBLIC[name]) or isinstance(PUBLIC[name], kinds)]


def test_the_tasks_that_come_with_tq_explain_their_arguments() -> None:
    for task in (mail.send, shell.run):
        arguments = inspect.signature(task).parameters
        assert list(explained(task)) == list(arguments), task
        assert section(task, "Returns"), task


def test_a_docstring_begins_with_a_sentence_on_one_line() -> None:
    firsts = {name: (inspect.getdoc(thing) or ".").split("\n\n")[0] for name, thing in PUBLIC.items()}
    assert not {name: first for name, first in firsts.items() if not first.endswith(".") or "\n" in first}


def test_what_is_raised_has_a_public_name() -> None:
    for name, thing in CALLED.items():
        for raised in explained(thing, "Raises"):
            public = hasattr(tq, raised) or hasattr(builtins, raised)
            assert public or pkgutil.resolve_name(raised), f"{name}: {raised}"


def test_what_is_returned_begins_without_a_colon() -> None:
    """Before a colon stands a type, where Google's style is read."""
    firsts = {name: section(thing, "Returns").strip().partition("\n")[0] for name, thing in CALLED.items()}
    typed = re.compile(r"[^:`]*(`+[^`]*`+[^:`]*)*: ")
    assert not {name: first for name, first in firsts.items() if typed.match(first)}
