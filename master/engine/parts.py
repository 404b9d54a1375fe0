"""All parts of one engine, as one: each of their methods is called of those that have it, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ..store.interface.store import Picture
from .agenda import Agenda
from .clock import Now
from .part import Part, hooks
from .session import Session
from .trouble import Chore

P = TypeVar("P", bound=Part)


class Parts:
    """What each method means is said in ``part.py``."""

    def __init__(self, parts: Sequence[Part], agenda: Agenda) -> None:
        self._agenda = agenda
        self._by_kind = {type(part): part for part in parts}
        self._named = [part for part in parts if part.name]
        self._load, self._begin, self._closed = _of(parts, "load", "begin", "closed")
        self._give_out, self._settle = _of(parts, "give_out", "settle")
        self._committed, self._void = _of(parts, "committed", "void")
        self._has_more, self._is_unsettled = _of(parts, "has_more", "is_unsettled")
        self._is_full, self._must_reconnect = _of(parts, "is_full", "must_reconnect")

    def of(self, kind: type[P]) -> P:
        """The one of this class."""
        return self._by_kind[kind]  # type: ignore[return-value]  # a cast would be a call, for each call of a client

    def chores(self) -> list[Chore]:
        """What each of them does by the clock, to be tried by itself."""
        return [Chore(part.name, partial(self.do_due, part=part)) for part in self._named]

    def load(self, picture: Picture, now: Now) -> None:
        for load in self._load:
            load(picture, now)

    def closed(self, session: Session, now: Now) -> None:
        for closed in self._closed:
            closed(session, now)

    # one transaction

    def begin(self) -> None:
        for begin in self._begin:
            begin()

    def do_due(self, now: Now, part: Part | None = None) -> None:
        """What is due, of one part or of all."""
        for one, key in self._agenda.take(now, part):
            one.due(key, now)

    def give_out(self, now: Now) -> None:
        for give_out in self._give_out:
            give_out(now)

    def settle(self, now: Now) -> None:
        for settle in self._settle:
            settle(now)

    def committed(self) -> None:
        self._agenda.committed()
        for committed in self._committed:
            committed()

    def void(self) -> list[Session]:
        self._agenda.void()
        return [session for void in self._void for session in void()]

    # what is asked of them

    def have_more(self) -> bool:
        return _any(self._has_more)

    def are_unsettled(self) -> bool:
        return _any(self._is_unsettled)

    def are_full(self) -> bool:
        return _any(self._is_full)

    def must_reconnect(self, session: Session) -> bool:
        return any(must_reconnect(session) for must_reconnect in self._must_reconnect)


def _any(questions: list[Callable[[], bool]]) -> bool:
    # A generator costs as much as the questions, which are asked several times in each transaction.
    for question in questions:  # noqa: SIM110
        if question():
            return True
    return False


def _of(parts: Sequence[Part], *names: str) -> list[list[Callable[..., Any]]]:
    return [hooks(parts, name) for name in names]
