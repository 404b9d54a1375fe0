"""Log-ins: how they begin and end."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import QuotaExceeded
from tq.web.logins import ABSOLUTE_SECONDS, IDLE_SECONDS, LINK_SECONDS, LOGINS_MAX, NOTES_MAX, Login, Logins


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class ClosedApp:
    closed = False

    def close(self) -> None:
        self.closed = True


def opened(logins: Logins, role: str = "viewer", key: str = "k") -> tuple[Login, Any]:
    app: Any = ClosedApp()
    return logins.open(app, {"you": {"key": key, "role": role, "queues": []}}), app


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logins(clock: Clock) -> Logins:
    return Logins(clock)


def test_a_log_in_is_found_by_its_cookie_and_by_nothing_else(logins: Logins) -> None:
    login, _ = opened(logins)
    other, _ = opened(logins)
    assert logins.find(login.id) is login
    assert logins.find(None) is logins.find("") is logins.find(login.token) is None
    assert len({login.id, login.token, other.id, other.token}) == 4
    assert login.id not in repr(login)


def test_it_ends_when_it_is_not_used(logins: Logins, clock: Clock) -> None:
    login, app = opened(logins)
    clock.now = IDLE_SECONDS
    assert logins.find(login.id) is login
    clock.now = 2 * IDLE_SECONDS + 1
    assert logins.find(login.id) is None
    assert app.closed


def test_an_open_page_uses_it_but_not_without_end(logins: Logins, clock: Clock) -> None:
    login, app = opened(logins)
    login.streams = 1
    clock.now = ABSOLUTE_SECONDS
    logins.sweep()
    assert not app.closed
    clock.now = ABSOLUTE_SECONDS + 1
    logins.sweep()
    assert app.closed
    assert len(logins) == 0


def test_an_ended_one_is_worth_nothing(logins: Logins) -> None:
    login, app = opened(logins)
    logins.end(login)
    assert logins.find(login.id) is None
    assert app.closed


def test_there_are_so_many_and_a_place_is_free_again_when_one_ends(logins: Logins) -> None:
    first, _ = opened(logins, key="k0")
    for number in range(1, LOGINS_MAX):
        opened(logins, key=f"k{number}")
    with pytest.raises(QuotaExceeded, match="64 people"):
        opened(logins, key="another")
    logins.end(first)
    opened(logins, key="another")
    assert len(logins) == LOGINS_MAX


def test_a_key_that_logs_in_again_and_again_keeps_no_one_out(logins: Logins, clock: Clock) -> None:
    other, _ = opened(logins, key="other")
    every = []
    for _ in range(2 * LOGINS_MAX):
        clock.now += 1
        every.append(opened(logins, key="greedy"))
    assert logins.find(other.id) is other
    clock.now += 1
    late, _ = opened(logins, key="late")
    assert logins.find(late.id) is late
    assert [app.closed for _, app in every] == [True] * (LOGINS_MAX + 2) + [False] * (LOGINS_MAX - 2)


def test_a_link_logs_in_once_and_for_a_minute(logins: Logins, clock: Clock) -> None:
    word, late = logins.link_for("the key"), logins.link_for("the key")
    assert logins.use_link("another") is None
    assert logins.use_link(word) == "the key"
    assert logins.use_link(word) is None
    clock.now = LINK_SECONDS + 0.1
    assert logins.use_link(late) is None


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", {"viewer"}), ("client", {"viewer", "client"}), ("admin", set(Role))]
)
def test_what_is_shown_to_a_key_is_what_its_role_may(logins: Logins, role: str, may: set[str]) -> None:
    login, _ = opened(logins, role)
    assert {one for one in Role if login.may(one)} == may


def test_a_sentence_is_shown_once_and_not_too_many_are_kept(logins: Logins) -> None:
    login, _ = opened(logins)
    for number in range(NOTES_MAX + 5):
        login.note(str(number))
    assert len(login.take_notes()) == NOTES_MAX
    assert login.take_notes() == []
