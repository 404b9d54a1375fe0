"""Which tasks a strike holds: a condition in the language of ``where.py`` on what the master knows of a task without opening its arguments.
Pure.

::

    task=mail:send tenant=acme        this function, for this tenant; a blank between comparisons is "and"
    queue in (img, 'img.*')           a value may be a glob
    limit.smtp=a.example              tasks that have the key a.example in the limit smtp
    arg.to~example.com                tasks whose indexed argument ``to`` has this somewhere inside
    tag.order=4711                    tasks with this tag
    not has tenant                    those without one

Tasks are lined up by queue, function, tenant and keys of limits: of these names a lane is held, or is not, as a whole. Tags, and the arguments
that ``index=`` makes tags of, stand with each task: what a condition says of them is decided task by task. ``verdict`` tells which of both it
is for a lane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..errors import InvalidArgument
from ..values.brief import brief
from .globs import fits_any
from .tags import ARGUMENT
from .where import Condition, Dialect, Term, parse_where, terms

STRIKES_MAX: Final = 100  # each is compared with every lane that is made
LIMIT: Final = "limit."  # before the name of a limit: the key of a task in it
TAG: Final = "tag."  # before the name of a tag
NAMES: Final = ("queue", "task", "tenant")
PREFIXES: Final = (LIMIT, ARGUMENT, TAG)
WORDS: Final = f"{', '.join(NAMES)}, {LIMIT}NAME, {ARGUMENT}NAME or {TAG}NAME"
STRIKE: Final = Dialect(
    "strike",
    WORDS,
    "task=mail:send, queue=img.*, tenant in (acme, globex), limit.smtp=a.example or arg.to~example.com, with and, or, not",
    has_globs=True,
)


def parse_strike(text: str) -> Condition:
    """Raises InvalidArgument, which says what a strike can be on."""
    condition = parse_where(text, STRIKE)
    for term in terms(condition):
        is_named = term.name.startswith(PREFIXES) and not term.name.endswith(".")
        if term.name not in NAMES and not is_named:
            raise InvalidArgument(
                f"strike={brief(text, 80)}: a strike does not know {brief(term.name, 80)}; it can be on {WORDS}: the key of a task "
                "in a limit, an argument in its index=, its tag"
            )
    return condition


def unseen_words(arguments: Sequence[str]) -> str:
    """Of arguments that a strike is on, by which none of the newest tasks of its functions is found."""
    return (
        f"none of the newest tasks is found by {' or '.join(arguments)}: they are not held back by that. Those that come are, if they are found by "
        f"it; the master opens no arguments but those of index=: @app.task(index={list(arguments)})"
    )


def tags_of(condition: Condition) -> tuple[str, ...]:
    """The tags that it looks at, as tasks have them: ``arg.to``, and ``order`` of tag.order. None: it holds lanes as a whole."""
    names = (term.name for term in terms(condition) if _is_of_task(term.name))
    return tuple(dict.fromkeys(name.removeprefix(TAG) for name in names))


def _is_of_task(name: str) -> bool:
    return name.startswith((ARGUMENT, TAG))


def facts_of(queue: str, task: str, tenant: str, keys: Mapping[str, str]) -> dict[str, str]:
    """What a strike looks at, of a lane. ``keys``: by the names of limits."""
    facts = {"queue": queue, "task": task, **{LIMIT + name: key for name, key in keys.items()}}
    if tenant:
        facts["tenant"] = tenant
    return facts


def with_tags(facts: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """The same of one task. ``tags``: as tasks have them."""
    named = {name if name.startswith(ARGUMENT) else TAG + name: text for name, text in tags.items()}
    return {**facts, **named}


def holds(condition: Condition, facts: Mapping[str, str]) -> bool:
    """Whether a strike with this condition holds tasks of which these are the facts: all that it looks at."""
    return bool(_verdict(condition, facts, lambda name: False))


def verdict(condition: Condition, facts: Mapping[str, str], *, of_many: bool = False) -> bool | None:
    """Whether it holds all tasks of which these are the facts, or none of them (False); None: that depends on their tags. ``of_many``: they
    have different tenants and keys besides, and the facts say none."""

    def is_open(name: str) -> bool:
        return _is_of_task(name) or (of_many and (name == "tenant" or name.startswith(LIMIT)))

    return _verdict(condition, facts, is_open)


def _verdict(condition: Condition, facts: Mapping[str, str], is_open: Callable[[str], bool]) -> bool | None:
    if isinstance(condition, Term):
        if is_open(condition.name):
            return None
        value = facts.get(condition.name)
        found = value is not None and (not condition.values or fits_any(value, condition.values))
        return found != condition.is_negated
    # What one part says alone: of "and" that it does not hold, of "or" that it does.
    decisive, is_certain = not condition.is_all, True
    for part in condition.parts:
        found_of_part = _verdict(part, facts, is_open)
        if found_of_part is decisive:
            return decisive
        is_certain &= found_of_part is not None
    return condition.is_all if is_certain else None
