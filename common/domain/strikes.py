"""Which tasks a strike holds: a condition in the language of ``where.py`` on what the master lines tasks up by. Pure.

::

    task=mail:send tenant=acme        this function, for this tenant; a blank between comparisons is "and"
    queue in (img, 'img.*')           a value may be a glob
    limit.smtp=a.example              tasks that have the key a.example in the limit smtp
    not has tenant                    those without one

The master opens no arguments, and tags and the rest of what a submit says stand with a task's row: to decide by them it would have to read
every task. What can be struck is what lanes are made of, so a strike looks at lanes only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..errors import InvalidArgument
from ..values.brief import brief
from .globs import fits_any, glob
from .where import Condition, Dialect, Term, parse_where, terms

STRIKES_MAX: Final = 100  # each is compared with every lane that is made
LIMIT: Final = "limit."  # before the name of a limit: the key of a task in it
NAMES: Final = ("queue", "task", "tenant")
STRIKE: Final = Dialect(
    "strike",
    "queue, task, tenant or limit.NAME",
    "task=mail:send, queue=img.*, tenant in (acme, globex) or limit.smtp=a.example, with and, or, not",
    has_globs=True,
)
_INSIDE: Final = re.compile(r"(?:^|[\s(])((?:arg|tag)\.([\w-]+))\s*(?:[=!~]|(?:not\s+)?in\b)", re.ASCII)


def parse_strike(text: str) -> Condition:
    """Raises InvalidArgument: also for what the master does not line tasks up by, with the line that makes it do so."""
    if found := _INSIDE.search(text):
        raise InvalidArgument(_not_lined_up(found[1], found[2]))
    condition = parse_where(text, STRIKE)
    for term in terms(condition):
        if term.name not in NAMES and not (term.name.startswith(LIMIT) and len(term.name) > len(LIMIT)):
            raise InvalidArgument(
                f"strike={brief(text, 80)}: a strike does not know {brief(term.name, 80)}; it can be on "
                f"{', '.join(NAMES)} and limit.NAME, the key of a task in the limit NAME"
            )
    return condition


def _not_lined_up(name: str, parameter: str) -> str:
    return (
        f"strike: the master does not line tasks up by {brief(name, 80)}; it can be on {', '.join(NAMES)} and limit.NAME. Give the task a "
        f"limit with it as the key, limits=[tq.Limit('{parameter:.40}', max_running=1000000, by='{{{parameter:.40}}}')], and strike "
        f"'limit.{parameter:.40}=…'"
    )


def facts_of(queue: str, task: str, tenant: str, keys: Mapping[str, str]) -> dict[str, str]:
    """What a strike looks at. ``keys``: by the names of limits."""
    facts = {"queue": queue, "task": task, **{LIMIT + name: key for name, key in keys.items()}}
    if tenant:
        facts["tenant"] = tenant
    return facts


def holds(condition: Condition, facts: Mapping[str, str]) -> bool:
    """Whether a strike with this condition holds tasks of which these are the facts."""
    if isinstance(condition, Term):
        value = facts.get(condition.name)
        found = value is not None and (not condition.values or fits_any(value, condition.values))
        return found != condition.is_negated
    held = (holds(part, facts) for part in condition.parts)
    return all(held) if condition.is_all else any(held)


def steps(condition: Condition, facts: Mapping[str, str]) -> int:
    """What a comparison takes at most, in characters compared."""
    return sum(
        sum(glob(pattern).steps(facts.get(term.name, "")) for pattern in term.values)
        for term in terms(condition)
    )
