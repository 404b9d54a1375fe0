"""Who has logged in: a random id in a cookie, and behind it the session of a key. Kept in memory only.

The key itself is held by the session, which connects again when the master was restarted, and dies with it. Nothing is written
down: after a restart of the page a person logs in again.

Invariants: 1. an id is a secret of 256 bits, and no id is used twice; 2. an ended log-in has no session any more; 3. there are
LOGINS_MAX at most: each costs a connection and a thread.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from ..client.app import App
from ..common.contract.exposed import ALLOWED
from ..common.domain.model import Role
from ..common.errors import QuotaExceeded
from .watching import Watcher

LOGINS_MAX: Final = 64
IDLE_SECONDS: Final = 30 * 60.0  # without a request and without an open page
ABSOLUTE_SECONDS: Final = 12 * 3600.0  # a working day; then one logs in again, whatever is open
NOTES_MAX: Final = 20  # sentences to be shown on the next page
LINK_SECONDS: Final = 60.0  # of a one-time link
SECRET_BYTES: Final = 32


ANSWERS_MAX: Final = 8  # of the master, kept for all tabs of a log-in

_A = TypeVar("_A")


@dataclass(kw_only=True, eq=False)
class Login:
    """``token``: what each change must carry besides the cookie, for a foreign page can make a browser send that."""

    id: str = field(repr=False)
    token: str = field(repr=False)
    app: App
    key: str
    role: Role
    queues: tuple[str, ...]
    watcher: Watcher
    since: float
    used: float
    streams: int = 0  # open pages
    notes: deque[tuple[str, bool]] = field(default_factory=lambda: deque(maxlen=NOTES_MAX))
    jobs: dict[str, Any] = field(default_factory=dict)
    series: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)  # by range, as of a moment
    answers: dict[str, tuple[float, Any]] = field(default_factory=dict)  # see ``recent``
    colours: dict[str, str] = field(default_factory=dict)  # of the names of tasks in the time line
    draft: Mapping[str, str] = field(
        default_factory=dict
    )  # of a task that could not be submitted: shown once more

    def may(self, role: Role | str) -> bool:
        """Whether the master would let this key do what needs a role: only for what is shown; the master itself decides."""
        return self.role in ALLOWED[Role(role)]

    def recent(self, name: str, seconds: float, ask: Callable[[], _A]) -> _A:
        """What ``ask`` answered under this name in the last so many seconds, if no one with this key has changed something since, or
        answers now: however many tabs look, the master is asked once."""
        now = time.monotonic()
        at, found = self.answers.get(name, (-math.inf, None))
        changed_at = self.watcher.changed_at
        if now - at < seconds and at > changed_at:
            return cast("_A", found)
        answer = ask()
        if self.watcher.changed_at == changed_at:
            self.keep(name, answer)
        return answer

    def keep(self, name: str, answer: Any) -> None:
        """For ``recent``; the oldest go first."""
        self.answers.pop(name, None)
        self.answers[name] = time.monotonic(), answer
        while len(self.answers) > ANSWERS_MAX:
            del self.answers[next(iter(self.answers))]

    def note(self, text: str, *, is_error: bool = False) -> None:
        """Say it on the next page."""
        self.notes.append((text, is_error))

    def take_notes(self) -> list[tuple[str, bool]]:
        taken = list(self.notes)
        self.notes.clear()
        return taken


class Logins:
    """``now``: monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._by_id: dict[str, Login] = {}
        self._links: dict[str, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Login]:
        return iter(list(self._by_id.values()))

    def open(self, app: App, info: dict[str, Any]) -> Login:
        """A new log-in for a session. Raises QuotaExceeded when there are too many, each with a key of its own."""
        self.sweep()
        now, you = self._now(), info["you"]
        if len(self._by_id) >= LOGINS_MAX:
            self._make_room(str(you["key"]))
        alike = (one.watcher for one in self if one.key == str(you["key"]) and one.role == Role(you["role"]))
        watcher = next((one for one in alike if not one.refused and one.join(app)), None) or Watcher(app)
        login = Login(
            id=secrets.token_urlsafe(SECRET_BYTES),
            token=secrets.token_urlsafe(SECRET_BYTES),
            app=app,
            key=str(you["key"]),
            role=Role(you["role"]),
            queues=tuple(you["queues"]),
            watcher=watcher,
            since=now,
            used=now,
        )
        self._by_id[login.id] = login
        return login

    def _make_room(self, key: str) -> None:
        """End the log-in that was used the longest ago of the key with the most, at equality of this one: a key that logs in again and
        again keeps no other one out."""
        of_key = Counter(login.key for login in self)
        most = max(of_key, key=lambda one: (of_key[one], one == key))
        if of_key[most] == 1 and most != key:
            raise QuotaExceeded(f"{LOGINS_MAX} people are logged in to this page; log out elsewhere, or wait")
        self.end(min((login for login in self if login.key == most), key=lambda login: login.used))

    def find(self, id: str | None) -> Login | None:
        """The log-in of a cookie, which is used by that."""
        login = self._by_id.get(id or "")
        if login is None:
            return None
        if self._is_over(login):
            self.end(login)
            return None
        login.used = self._now()
        return login

    def end(self, login: Login) -> None:
        """Its id is worth nothing from now on, and its connection is closed."""
        if self._by_id.pop(login.id, None) is not None:
            login.watcher.leave(login.app)
            login.app.close()

    def end_all(self) -> None:
        for login in self:
            self.end(login)

    def sweep(self) -> None:
        for login in self:
            if self._is_over(login):
                self.end(login)

    def _is_over(self, login: Login) -> bool:
        now = self._now()
        idle = not login.streams and now - login.used > IDLE_SECONDS
        return idle or now - login.since > ABSOLUTE_SECONDS

    # one-time links

    def link_for(self, authkey: str) -> str:
        """A word that logs in once, within LINK_SECONDS."""
        word = secrets.token_urlsafe(SECRET_BYTES)
        self._links[word] = (authkey, self._now() + LINK_SECONDS)
        return word

    def use_link(self, word: str) -> str | None:
        """The key of a link, which is used up by that; None if it is unknown, used or too old."""
        authkey, until = self._links.pop(word, (None, 0.0))
        return authkey if self._now() <= until else None
