"""Options of tasks as the command line says them: what they ask of a worker, whose they are, which limits they count for, and by when
they should have ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any, Final

from ...common.domain.limits import Limit
from ...common.errors import InvalidArgument
from .bounds import named
from .where import age

LIMIT_FIELDS: Final = ("max_running", "rate", "burst", "by", "units")
TEXTS: Final = frozenset({"rate", "by"})  # of these; the others are whole numbers
LIMIT_EXAMPLE: Final = "--limit 'api max_running=3 rate=100/min by={customer}'"


def given_options(
    *,
    needs: Iterable[str] = (),
    where: str | None = None,
    tenant: str | None = None,
    limits: Iterable[str] = (),
    tags: Iterable[str] = (),
    deadline: str | None = None,
) -> dict[str, Any]:
    """Those that were given, as ``using`` takes them. Raises InvalidArgument."""
    given: dict[str, Any] = {
        "needs": as_amounts(needs),
        "where": named("--where", where, "'zone=eu'"),
        "tenant": named("--tenant", tenant, "acme"),
        "limits": [as_limit(one) for one in limits],
        "tags": as_tags(tags),
        "deadline": None if deadline is None else age(deadline, "deadline"),
    }
    return {name: value for name, value in given.items() if value or value == 0}


def as_amounts(given: Iterable[str]) -> dict[str, str]:
    """What ``--needs`` names."""
    return _pairs("--needs", "NAME=AMOUNT, as in --needs gpu=1", given)


def as_tags(given: Iterable[str]) -> dict[str, str]:
    """What ``--tag`` names."""
    return _pairs("--tag", "NAME=TEXT", given)


def _pairs(option: str, form: str, given: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or name in found:
            raise InvalidArgument(f"{option} {one!r:.80}: write {option} {form}, each name once")
        found[name] = text
    return found


def as_limit(text: str) -> Limit:
    """What ``--limit`` says: a name, and its fields as tq.Limit has them."""
    try:
        name, *words = shlex.split(text)
    except ValueError:
        raise InvalidArgument(
            f"--limit {text!r:.80}: a name and fields, as in {LIMIT_EXAMPLE}, with quotes in pairs"
        ) from None
    fields: dict[str, Any] = {}
    for word in words:
        field, equals, value = word.partition("=")
        if not equals or field not in LIMIT_FIELDS or field in fields:
            raise InvalidArgument(
                f"--limit {text!r:.80}: {word!r:.40} is none of {'=, '.join(LIMIT_FIELDS)}=, each once; write {LIMIT_EXAMPLE}"
            )
        fields[field] = value if field in TEXTS else _whole(text, field, value)
    return Limit(name, **fields)


def _whole(text: str, field: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidArgument(f"--limit {text!r:.80}: {field} is a whole number, not {value!r:.40}") from None
