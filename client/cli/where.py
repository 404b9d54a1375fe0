"""Filters of tasks: ``--where`` and its short forms, one small language for all commands that select tasks. Pure.

A filter consists of terms; a task has to match all of them. ``--where 'state=failed,dead queue=mail error~SMTP since=2h'`` is

=========  ==========================================================================================
``state``  ready, scheduled, blocked, running, succeeded, failed, dead, cancelled, expired, lost; several by commas
``queue``  name or glob: ``queue=img.*``; several by commas
``name``   of the callable, the same way: ``name=app:send``; ``name~send`` has it somewhere inside
``error``  type of the failure: ``error=ValueError``; ``error~SMTP`` is part of its type or message
``since``  submitted in the last 30s, 10min, 2h, 7d
``older``  submitted longer ago than that
``tenant`` whose task it is, the same way as ``queue``
``host``   of the worker that has it, or had it last: name or glob; several by commas; ``host~rack3`` has it somewhere inside
``worker`` that worker: its id, or the start of it, as ``tq workers`` lists it
``flow``   id of the flow that they are part of, whole or shortened
``tag.N``  text of their tag N: ``tag.order=4711``, or a glob; ``tag.order~47`` has it somewhere inside
``arg.N``  the same of their argument N, if the task has it in its ``index=``
=========  ==========================================================================================
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from ...common.domain.model import State
from ...common.domain.tags import ARGUMENT, check_tag_name
from ...common.errors import InvalidArgument
from ...common.runtime.guessing import nearest
from .where_words import SIGNED, FilterTerm, WrongFilter, words_of

WORDS: Final = (
    "state", "queue", "name", "error", "since", "older", "tenant", "host", "worker", "flow", "tag.NAME", "arg.NAME",
)  # fmt: skip
INSIDE: Final = (
    "name",
    "queue",
    "tenant",
    "host",
)  # whose sign may be ~: has it somewhere inside; of ``error`` it means more
TAG: Final = "tag."
UNITS: Final = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}

Filter = dict[str, Any]

_F = TypeVar("_F", bound=Callable[..., Any])


def choosing(function: _F) -> _F:
    """Give a command ``--where`` and its short forms; the function gets them as ``terms``."""

    @click.option(
        "--where",
        multiple=True,
        metavar="EXPR",
        help="state= queue= name= error~ tenant= host= tag.N= …",
    )
    @click.option("--state", multiple=True, metavar="STATE", help="ready, running, failed, …; repeatable.")
    @click.option("--queue", multiple=True, metavar="NAME", help="Of this queue; a glob is allowed.")
    @click.option("--name", multiple=True, metavar="MODULE:FUNCTION", help="Of this callable; or a glob.")
    @click.option("--since", metavar="AGE", help="Submitted in the last 30s, 10min, 2h, 7d.")
    @functools.wraps(function)
    def command(
        where: tuple[str, ...],
        state: tuple[str, ...],
        queue: tuple[str, ...],
        name: tuple[str, ...],
        since: str | None,
        **given: Any,
    ) -> Any:
        # Short forms become terms like any other, so that both may be mixed and none is given twice.
        terms = [term for expression in where for term in split(expression)]
        for word, values in (("state", state), ("queue", queue), ("name", name)):
            if values:
                terms.append(FilterTerm(word, "=", ",".join(values)))
        if since is not None:
            terms.append(FilterTerm("since", "=", since))
        return function(terms=terms, **given)

    return command  # type: ignore[return-value]


def split(expression: str) -> list[FilterTerm]:
    """``word=value word~value …`` in parts; values with blanks are quoted. Raises WrongFilter."""
    terms = []
    for text, place in words_of(expression):
        match = SIGNED.fullmatch(text)
        if match is None:
            raise WrongFilter(_unsigned(text), place)
        term = FilterTerm(match[1], match[2], match[3], place)
        _check_word(term)
        terms.append(term)
    return terms


def _unsigned(text: str) -> str:
    """The error for a word without an operator, which is usually a value by itself."""
    is_state = text.lower() in tuple(State)
    meant = f"did you mean state={text}?" if is_state else "write e.g. state=failed"
    return f"{text!r:.80} is not of the form word=value; {meant}"


def to_filter(terms: Iterable[FilterTerm], now: float) -> Filter:
    """The filter a master understands; ``now`` in Unix seconds. Raises WrongFilter."""
    found: Filter = {}
    for term in terms:
        key, one = _meaning(term, now)
        # Different tags are one field of the filter; the same one twice is a mistake, as below.
        if key == "tags" and one.keys().isdisjoint(found.get(key, {})):
            one = {**found.pop(key, {}), **one}
        if key in found:
            word = term.word
            raise term.wrong(f"{word} is given twice; several values go into one: {word}=one,other")
        found[key] = one
    return found


def _meaning(term: FilterTerm, now: float) -> tuple[str, Any]:
    word, sign, value, _ = term
    values = [one for one in value.split(",") if one]
    if word.startswith((TAG, ARGUMENT)):
        return "tags", {word.removeprefix(TAG): [f"*{value}*"] if sign == "~" else values}
    if sign == "~" and word == "error":
        return "text", value
    if sign == "~" and word in INSIDE:
        return f"{word}s", [f"*{one}*" for one in values]
    if sign != "=":
        raise term.wrong(f"{word}{sign}{value!s:.40}: {word} has no {sign}; write {word}=…")
    match word:
        case "state":
            return "states", [int(_state(term, one).number) for one in values]
        case "since":
            return "since", now - _age(term)
        case "older":
            return "until", now - _age(term)
        case "flow":
            return "flow", value  # as text: see ``with_flow``
        case "worker":
            return "workers", [_node(term, one) for one in values]
    return f"{word}s", values


def with_flow(wanted: Filter, id_of: Callable[[str], bytes]) -> Filter:
    """The same filter with the id of the flow that is named in it."""
    return {**wanted, "flow": id_of(wanted["flow"])} if "flow" in wanted else wanted


def with_states(wanted: Filter, usual: Iterable[State], possible: Iterable[State], done: str) -> Filter:
    """The filter with the states that an action is for, where it has none. Raises InvalidArgument for a state that cannot be
    ``done``."""
    words = list(possible)
    for state in map(State.from_number, wanted.get("states", ())):
        if state not in words:
            raise InvalidArgument(f"{state} tasks cannot be {done}; those that are {', '.join(words)} can")
    return {"states": [int(state.number) for state in usual], **wanted}


def age(text: str, option: str) -> float:
    """Seconds of ``2h``; raises InvalidArgument."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)", text)
    if match is None:
        raise InvalidArgument(f"--{option} {text!r:.40}: write 30s, 10min, 2h or 7d")
    return float(match[1]) * UNITS[match[2]]


def _age(term: FilterTerm) -> float:
    try:
        return age(term.value, term.word)
    except InvalidArgument as error:
        raise term.wrong_value(str(error)) from None


def _node(term: FilterTerm, text: str) -> str:
    """The pattern of the ids that begin so."""
    if re.fullmatch(r"[0-9a-fA-F]{1,32}", text) is None:
        raise term.wrong_value(
            f"{text!r:.40} is not the id of a worker, which has hexadecimal digits, as in `tq workers`; for a host write host={text:.40}",
            text,
        )
    return f"{text.lower()}*"


def _state(term: FilterTerm, word: str) -> State:
    try:
        return State.parse(word)
    except InvalidArgument as error:
        near = nearest(word.lower(), State)
        raise term.wrong_value(f"did you mean {near[0]}? {error}" if near else str(error), word) from None


def _check_word(term: FilterTerm) -> None:
    word, sign, value, _ = term
    if word.startswith((TAG, ARGUMENT)):
        try:
            name = check_tag_name(word.removeprefix(TAG))
            if name == ARGUMENT:
                raise InvalidArgument(f"the name of an argument is missing; write {ARGUMENT}customer={value}")
        except InvalidArgument as error:
            raise term.wrong(str(error)) from None
    elif word not in WORDS:
        # Words of other queues come second: ``status`` is not far from ``state``, and ``task`` means ``name``.
        near = nearest(word, WORDS) if word not in ALIKE else [word]
        near = near or nearest(word, ALIKE)
        known = f"known are {', '.join(WORDS)}"
        hint = f"did you mean {ALIKE.get(near[0], near[0])}? {known}" if near else known
        if sign == ":" and not near:
            hint = f"did you mean name={word}:{value}? {known}"
        raise WrongFilter(f"unknown field {word!r:.40}; {hint}", term.place and term.place.of(word))
    if sign not in ("=", "~"):
        raise term.wrong(f"{word}{sign}…: the signs are = and ~ (has it somewhere inside)")
    if not value:
        raise term.wrong(f"{word}{sign}: a value is missing")


ALIKE: Final = {
    "task": "name",
    "function": "name",
    "status": "state",
    "exception": "error",
    "before": "older",
    "tag": "tag.NAME",
    "tags": "tag.NAME",
    "args": "arg.NAME",
    "argument": "arg.NAME",
    "node": "worker",
    "machine": "host",
    "hostname": "host",
}
