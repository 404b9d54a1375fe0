"""What several open pages of one key show alike is asked for once, and what is dear is asked for seldom: a bound of what pages cost the master.

Only for pages that look again by themselves: who opens a page, or has changed something, sees what is now. A view is kept for LOOK_SECONDS;
one that takes long for so long that it takes its share of the time and no more, whatever the number of pages, with all other dear views
together. A view takes long if it did so twice, one time after the other: once it may have been the machine that was busy, and the page
would show for a minute what was.

Invariants: 1. a view that was begun earlier never takes the place of one that was begun later; 2. one that was begun before a person has
changed something is shown to no page of that key that asks after the change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .page import ShownPage
from .watching import LOOK_SECONDS

SHARE: Final = 0.02  # of the time, for all dear views together
AGE_SECONDS_MAX: Final = 60.0  # of what is shown, however dear
FORGOTTEN_SECONDS: Final = 90.0  # without a page that asks for it
VIEWS_MAX: Final = 500  # kept, the one that was asked for the longest ago forgotten first
EARLY_SECONDS: Final = 0.25  # pages ask when the watcher has seen something, a little before or after a look

Place = tuple[str, str]  # a key with its role, and an address with its query


class FoundView(NamedTuple):
    """``again``: after how many seconds a newer one would be made; 0: this one is new."""

    page: ShownPage
    again: float


@dataclass(kw_only=True, eq=False)
class KeptView:
    page: ShownPage | None = None
    began: float = 0.0  # to be made
    at: float = 0.0
    last_seconds: float = 0.0  # it took
    seconds: float = 0.0  # the lesser of that and of what it took the time before: what it costs
    changes: int = 0  # made by persons with this key
    changes_seen: int = 0  # when what is kept was begun
    asked: float = 0.0
    error: Exception | None = None
    failed: float = 0.0
    lock: threading.Lock = field(
        default_factory=threading.Lock
    )  # one at a time asks for it; the others get what that has found


class SharedViews:
    """``now``: monotonic seconds. Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._views: dict[Place, KeptView] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._views)

    def again(self, place: Place, make: Callable[[], ShownPage]) -> FoundView:
        """For a page that looks again."""
        view = self._view(place)
        with view.lock:
            now = self._now()
            if view.error is not None and now - view.failed < LOOK_SECONDS:
                raise view.error  # those that have waited for it do not wait again, one after the other
            left = view.at + self._kept_for(view) - now
            if view.page is not None and left > 0 and view.changes_seen == view.changes:
                return FoundView(view.page, left)
            return FoundView(self._make(view, make), 0.0)

    def fresh(self, place: Place, make: Callable[[], ShownPage]) -> ShownPage:
        """For a person who opens it."""
        return self._make(self._view(place), make)

    def has_changed(self, key: str) -> None:
        """A person with this key, as a place has it, has changed something."""
        with self._lock:
            for place, view in self._views.items():
                if place[0] == key:
                    view.changes += 1

    def _make(self, view: KeptView, make: Callable[[], ShownPage]) -> ShownPage:
        began, changes = self._now(), view.changes
        try:
            page = make()
        except Exception as error:
            view.error, view.failed = error, self._now()
            raise
        with self._lock:
            if view.page is not None and began < view.began:
                return view.page
            view.began, view.at, view.changes_seen = began, self._now(), changes
            took = view.at - began
            view.last_seconds, view.seconds = took, min(took, view.last_seconds)
            view.page, view.error = page, None
        return page

    def _kept_for(self, view: KeptView) -> float:
        usual = LOOK_SECONDS - EARLY_SECONDS
        if view.seconds <= LOOK_SECONDS * SHARE:
            return usual
        with self._lock:
            dear = sum(one.seconds for one in self._views.values() if one.seconds > LOOK_SECONDS * SHARE)
        return max(usual, min(AGE_SECONDS_MAX, dear / SHARE))

    def _view(self, place: Place) -> KeptView:
        now = self._now()
        with self._lock:
            for old in [one for one, view in self._views.items() if now - view.asked > FORGOTTEN_SECONDS]:
                del self._views[old]
            view = self._views.pop(place, None) or KeptView()
            self._views[place] = view  # the last one is the one that was asked for last
            while len(self._views) > VIEWS_MAX:
                del self._views[next(iter(self._views))]
            view.asked = now
            return view
