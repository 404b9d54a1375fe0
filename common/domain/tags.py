"""Tags of tasks: names with a short text each, by which people find tasks again. Pure.

All tasks of one submit call have the same tags, so an array keeps them once. They are options of a task and travel as a map. What differs
from task to task, the indexed arguments of a map, travels in columns: see argument_index.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import InvalidArgument
from ..values.brief import brief

Tags = tuple[tuple[str, str], ...]
"""Sorted by name, so that the same tags are equal, whatever their order was."""

TAGS_MAX: Final = 16  # of one task: what the master reads of a task without opening its arguments is bounded
NAME_CHARS_MAX: Final = 64
VALUE_BYTES_MAX: Final = 256  # in UTF-8
ARGUMENT: Final = "arg."  # before the name of an indexed argument, whose text is the tag
NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_.-]{{0,{NAME_CHARS_MAX - 1}}}")


def tags_of(given: Any) -> Tags:
    """Tags as they are kept, of a map as programs write it, or of kept ones. Raises InvalidArgument naming the bad one."""
    if isinstance(given, tuple):
        pairs = given
    elif isinstance(given, Mapping):
        pairs = tuple(given.items())
    else:
        raise InvalidArgument(f"tags are a dict of texts, not {brief(given, 80)}; tags={{'order': '4711'}}")
    if len(pairs) > TAGS_MAX:
        raise InvalidArgument(f"a task has at most {TAGS_MAX} tags, and here are {len(pairs):,}")
    for name, value in pairs:
        check_tag_text(check_tag_name(name), value)
    return tuple(sorted(pairs))


def check_tag_text(name: str, value: object) -> None:
    """Raises InvalidArgument for what is no text of a tag."""
    if not isinstance(value, str):
        raise InvalidArgument(
            f"the tag {name} has a value of type {type(value).__name__}; write a text: tags={{{name!r}: {str(value)[:40]!r}}}"
        )
    if not value or not value.isprintable() or len(value.encode(errors="replace")) > VALUE_BYTES_MAX:
        raise InvalidArgument(
            f"the tag {name}={brief(value)} is not a text of 1 to {VALUE_BYTES_MAX} bytes of printable characters"
        )


def check_tags_together(tags: Tags, indexed: Sequence[str]) -> None:
    """Tags that tasks share, beside the names of those that differ. Raises InvalidArgument."""
    if twice := {name for name, _ in tags}.intersection(indexed):
        raise InvalidArgument(f"{min(twice)} is among tags= and in index=; leave one of them out")
    if (many := len(tags) + len(indexed)) > TAGS_MAX:
        raise InvalidArgument(
            f"a task has at most {TAGS_MAX} tags, those of index= among them, and here are {many:,}"
        )


def check_tag_name(name: object) -> str:
    """Raises InvalidArgument for what is no tag's name."""
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    raise InvalidArgument(
        f"{brief(name)} is not a name of a tag: a letter or _, then up to {NAME_CHARS_MAX - 1} letters, digits, _, - and ."
    )


def tags_in_words(tags: Mapping[str, str]) -> str:
    """``order=4711 shop=3``"""
    return " ".join(f"{name}={value}" for name, value in tags.items())


def check_index(given: object) -> tuple[str, ...]:
    """Names of parameters, in their order. Raises InvalidArgument."""
    if (
        isinstance(given, str)
        or not isinstance(given, Sequence)
        or not all(isinstance(one, str) for one in given)
    ):
        meant = brief([given if isinstance(given, str) else "customer"], 80)
        raise InvalidArgument(
            f"index= is a list of names of parameters, not {brief(given, 80)}; write index={meant}"
        )
    names = tuple(dict.fromkeys(given))
    if len(names) > TAGS_MAX:
        raise InvalidArgument(f"index= has at most {TAGS_MAX} parameters, and here are {len(names):,}")
    for name in names:
        check_tag_name(ARGUMENT + name)
    return names
