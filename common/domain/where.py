"""Conditions on the labels of a worker, as ``where=`` has them: a small language of our own, and what of it a worker does not fulfil. Pure.

::

    zone=eu                          the label zone has this value
    zone!=us                         it has another one, or there is none
    arch in (x86_64, arm64)          one of these; also: arch not in (…)
    has gpu                          there is a label or a resource of this name
    zone=eu and not (has slow)       and, or, not, brackets; not binds first, then and, then or

A value with other characters than letters, digits and ``_ . : / + -`` stands in quotes, single or double. A text from outside is read by
this parser and by nothing else; how deep it may go and how many comparisons it may have is bounded, so that every look at a worker is.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief

WHERE_CHARS_MAX: Final = 1_000
TERMS_MAX: Final = 64  # comparisons in one condition
DEPTH_MAX: Final = 16  # of brackets and ``not``
NAME_CHARS_MAX: Final = 63  # of a label or a resource
PARSED_MAX: Final = 1_024  # conditions that are remembered taken apart
_NAME: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_.-]{{0,{NAME_CHARS_MAX - 1}}}", re.ASCII)
_LONG_NAME: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_.-]{0,127}", re.ASCII
)  # of a kind of thing, a dot, and a name of its own
_BARE: Final = re.compile(r"[A-Za-z0-9_.:/+-]+", re.ASCII)
_TOKEN: Final = re.compile(r"""\s*(?:(!=|=|[(),])|([A-Za-z0-9_.:/+-]+)|'([^'\\]*)'|"([^"\\]*)")""", re.ASCII)
_GLOB_TOKEN: Final = re.compile(
    _TOKEN.pattern.replace("+-]+)", "+*?@-]+)").replace("[(),]", "[(),~]"), re.ASCII
)
_WORDS: Final = frozenset(("and", "or", "not", "in", "has"))


class Dialect(NamedTuple):
    """Who uses the language. ``what``: the word for a condition, ``name``: for the left side of a comparison. ``has_globs``: a value may
    have ``*``, ``?`` and ``@`` without quotes, ``name~text`` has it somewhere inside, and comparisons that follow one another must all hold,
    as with ``and``."""

    what: str
    name: str
    example: str
    has_globs: bool = False


LABELS: Final = Dialect(
    "where",
    "the name of a label",
    "zone=eu, zone!=us, arch in (x86_64, arm64) or has gpu, with and, or, not",
)


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison: the label ``name`` is, or is not, one of ``values``; without values: there is one of this name, or none."""

    name: str
    values: tuple[str, ...]
    is_negated: bool = False

    def holds(self, labels: Mapping[str, str], resources: Container[str]) -> bool:
        if self.values:
            return (labels.get(self.name) in self.values) != self.is_negated
        return (self.name in labels or self.name in resources) != self.is_negated

    def __str__(self) -> str:
        if not self.values:
            return f"not has {self.name}" if self.is_negated else f"has {self.name}"
        if len(self.values) == 1:
            return f"{self.name}{'!=' if self.is_negated else '='}{_written(self.values[0])}"
        return f"{self.name}{' not' if self.is_negated else ''} in ({', '.join(map(_written, self.values))})"


@dataclass(frozen=True, slots=True)
class Several:
    """All of these hold, or one of them."""

    parts: tuple[Condition, ...]
    is_all: bool

    def holds(self, labels: Mapping[str, str], resources: Container[str]) -> bool:
        held = (part.holds(labels, resources) for part in self.parts)
        return all(held) if self.is_all else any(held)

    def __str__(self) -> str:
        texts = [
            f"({part})" if isinstance(part, Several) and self.is_all else str(part) for part in self.parts
        ]
        return (" and " if self.is_all else " or ").join(texts)


Condition = Term | Several


def unmet(condition: Condition, labels: Mapping[str, str], resources: Container[str]) -> tuple[Term, ...]:
    """The fewest comparisons that would have to hold besides for the whole to hold; none: it holds."""
    if isinstance(condition, Term):
        return () if condition.holds(labels, resources) else (condition,)
    missing = [unmet(part, labels, resources) for part in condition.parts]
    if condition.is_all:
        return tuple(dict.fromkeys(term for terms in missing for term in terms))
    # Of alternatives the one that lacks least is what a person should change.
    return min(missing, key=len)


def terms(condition: Condition) -> list[Term]:
    """All its comparisons."""
    if isinstance(condition, Term):
        return [condition]
    return [term for part in condition.parts for term in terms(part)]


def check_label_name(what: str, name: object) -> str:
    """The name of a label or a resource. Raises InvalidArgument."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _WORDS:
        raise InvalidArgument(
            f"{what} has a name of up to {NAME_CHARS_MAX} letters, digits and _ . -, which begins with a letter or _ and is none of "
            f"{', '.join(sorted(_WORDS))}; not {brief(name, 80)}"
        )
    return name


@lru_cache(PARSED_MAX)
def parse_where(text: str, dialect: Dialect = LABELS) -> Condition:
    """Read a condition. Raises InvalidArgument, which says where it stopped and what would be right."""
    if len(text) > WHERE_CHARS_MAX:
        raise InvalidArgument(f"{dialect.what} has {len(text):,} characters; at most {WHERE_CHARS_MAX:,}")
    # It is shown in errors and tables.
    if not text.isprintable():
        raise InvalidArgument(f"{dialect.what}={brief(text, 80)} has unprintable characters")
    return _Parser(text, dialect).whole()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    place: int
    is_quoted: bool = False
    is_sign: bool = False


class _Parser:
    """Recursive descent. ``not`` is moved down to the comparisons while it reads, so that no condition has any."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text, self._tokens, self._dialect = text, _tokens(text, dialect), dialect
        self._at = self._terms = 0

    def whole(self) -> Condition:
        found = self._either(negated=False, depth=0)
        if self._at < len(self._tokens):
            raise self._refusal("and, or, or the end")
        return found

    def _either(self, *, negated: bool, depth: int) -> Condition:
        parts = [self._both(negated=negated, depth=depth)]
        while self._take("or"):
            parts.append(self._both(negated=negated, depth=depth))
        # De Morgan: not (a or b) is not a and not b.
        return _several(parts, is_all=negated)

    def _both(self, *, negated: bool, depth: int) -> Condition:
        parts = [self._one(negated=negated, depth=depth)]
        while self._take("and") or self._follows():
            parts.append(self._one(negated=negated, depth=depth))
        return _several(parts, is_all=not negated)

    def _one(self, *, negated: bool, depth: int) -> Condition:
        if depth > DEPTH_MAX:
            raise InvalidArgument(f"{self._dialect.what} goes more than {DEPTH_MAX} brackets deep")
        if self._take("not"):
            return self._one(negated=not negated, depth=depth + 1)
        if self._take("("):
            found = self._either(negated=negated, depth=depth + 1)
            self._expect(")")
            return found
        self._terms += 1
        if self._terms > TERMS_MAX:
            raise InvalidArgument(f"{self._dialect.what} has more than {TERMS_MAX} comparisons")
        if self._take("has"):
            return Term(self._name(), (), negated)
        return self._compared(self._name(), negated=negated)

    def _compared(self, name: str, *, negated: bool) -> Term:
        if self._take("="):
            return Term(name, (self._value(),), negated)
        if self._take("!="):
            return Term(name, (self._value(),), not negated)
        if self._dialect.has_globs and self._take("~"):
            return Term(name, (f"*{self._value()}*",), negated)
        # ``not in`` inside of a ``not (…)`` is ``in``.
        negated ^= self._take("not")
        if not self._take("in"):
            raise self._refusal("=, !=, ~ or in (…)" if self._dialect.has_globs else "=, != or in (…)")
        self._expect("(")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._expect(")")
        # In one order, so that equal conditions are equal objects of the cache.
        return Term(name, tuple(sorted(set(values))), negated)

    # tokens

    def _follows(self) -> bool:
        """Whether another comparison stands here, without a word between."""
        if not self._dialect.has_globs or self._at >= len(self._tokens):
            return False
        token = self._tokens[self._at]
        return not token.is_sign and not token.is_quoted and token.text not in ("or", "in")

    def _take(self, text: str) -> bool:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.text == text and not token.is_quoted:
                self._at += 1
                return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._refusal(text)

    def _name(self) -> str:
        token = self._next(self._dialect.name)
        pattern = _LONG_NAME if self._dialect.has_globs else _NAME
        if token.is_quoted or token.text in _WORDS or not pattern.fullmatch(token.text):
            # Back, so that the refusal points at it.
            self._at -= 1
            raise self._refusal(self._dialect.name)
        return token.text

    def _value(self) -> str:
        token = self._next("a value")
        if token.is_sign or (token.text in _WORDS and not token.is_quoted):
            self._at -= 1
            raise self._refusal("a value")
        return token.text

    def _next(self, wanted: str) -> _Token:
        if self._at >= len(self._tokens):
            raise self._refusal(wanted)
        self._at += 1
        return self._tokens[self._at - 1]

    def _refusal(self, wanted: str) -> InvalidArgument:
        place = self._tokens[self._at].place if self._at < len(self._tokens) else len(self._text)
        return _refused(self._text, place, wanted, self._dialect)


def _refused(text: str, place: int, wanted: str, dialect: Dialect) -> InvalidArgument:
    found = brief(text[place : place + 20]) if text[place:].strip() else "the end"
    return InvalidArgument(
        f"{dialect.what}={brief(text, 80)}: {wanted} is missing at character {place + 1}, where there is {found}; "
        f"write {dialect.example}"
    )


def _tokens(text: str, dialect: Dialect) -> list[_Token]:
    found: list[_Token] = []
    pattern = _GLOB_TOKEN if dialect.has_globs else _TOKEN
    end = len(text.rstrip())
    place = 0
    while place < end:
        match = pattern.match(text, place)
        if match is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise _refused(text, place, "a name, a sign or a value in quotes", dialect)
        sign, bare, *quoted = match.groups()
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        if sign is not None:
            found.append(_Token(sign, start, is_sign=True))
        elif bare is not None:
            found.append(_Token(bare, start))
        else:
            found.append(_Token(next(one for one in quoted if one is not None), start, is_quoted=True))
        place = match.end()
    return found


def _several(parts: list[Condition], *, is_all: bool) -> Condition:
    """One condition of several, with those of the same kind in it joined: two that say the same are the same text."""
    flat: dict[Condition, None] = {}
    for part in parts:
        same = isinstance(part, Several) and part.is_all == is_all
        flat.update(dict.fromkeys(part.parts if same and isinstance(part, Several) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else Several(tuple(flat), is_all)


def _written(value: str) -> str:
    if _BARE.fullmatch(value) and value not in _WORDS:
        return value
    return f'"{value}"' if "'" in value else f"'{value}'"
