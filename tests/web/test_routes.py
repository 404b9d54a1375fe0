"""Every address of the page, walked: a new view or change is refused here as all others are, without a line of test."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import pytest
from starlette.datastructures import Headers
from starlette.routing import Route
from tq.common.errors import Forbidden, InvalidArgument, Unreachable
from tq.web.guard import BODY_BYTES_MAX, HEADERS
from tq.web.logins import ABSOLUTE_SECONDS, IDLE_SECONDS, Login
from tq.web.settings import page_settings
from tq.web.site import Site, again_in
from tq.web.table import ACTIONS, NAVIGATION, VIEWS

HOST: Final = "127.0.0.1:15672"
WITHOUT_LOG_IN: Final = ("/login", "/open", "/static/{path}")


class AwayApp:
    """Whatever is asked of it, or of a part of it, it notes, and gives no answer."""

    def __init__(self, name: str = "", asked: list[Any] | None = None) -> None:
        self.asked: list[Any] = [] if asked is None else asked
        self.is_closed = False
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return AwayApp(name, self.asked)

    def __call__(self, *words: Any, **named: Any) -> Any:
        self.asked.append((self._name, words))
        raise Unreachable("there is no master in this test")

    def close(self) -> None:
        self.is_closed = True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Answer(NamedTuple):
    status: int
    headers: Headers
    text: str


class Browser:
    """Asks the site as a server does, without a socket."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.site = Site(page_settings(bind=HOST, master="tq://127.0.0.1:5000"), self.clock)
        self.app = AwayApp()
        app: Any = self.app
        self.login: Login = self.site.logins.open(app, {"you": {"key": "k", "role": "admin", "queues": []}})
        self.cookie: str | None = self.login.id

    @property
    def routes(self) -> list[Route]:
        return list(self.site.routes)

    def ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        fails: bool = False,
        **headers: str,
    ) -> Answer:
        """``x_y`` is the header ``x-y``. ``fails``: the application raises, too, so that its server logs it."""
        body = urlencode(form or {}).encode()
        given = {"host": HOST, "content-length": str(len(body))}
        if self.cookie:
            given["cookie"] = f"tq={self.cookie}"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "scheme": "http",
            "server": ("127.0.0.1", 15672),
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        return asyncio.run(self._answer(scope, body, fails))

    async def _answer(self, scope: dict[str, Any], body: bytes, fails: bool) -> Answer:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        with pytest.raises(LookupError) if fails else contextlib.nullcontext():
            await self.site.app(scope, receive, send)
        text = b"".join(one.get("body", b"") for one in sent[1:])
        return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), text.decode())


@pytest.fixture
def browser() -> Browser:
    return Browser()


def filled(path: str) -> str:
    """The address with a word for each variable part."""
    return re.sub(r"\{[^}]+\}", "word", path)


def paths(browser: Browser, method: str) -> Iterator[str]:
    return (filled(one.path) for one in browser.routes if method in (one.methods or ()))


def test_the_walk_sees_every_view_and_every_change(browser: Browser) -> None:
    assert {filled(path) for path in VIEWS} < set(paths(browser, "GET"))
    assert {filled(path) for path in ACTIONS} < set(paths(browser, "POST"))
    assert {one.path for one in NAVIGATION} <= set(VIEWS)
    assert len({one.key for one in NAVIGATION}) == len(NAVIGATION), "a key leads to one view"


def test_every_address_refuses_a_foreign_name(browser: Browser) -> None:
    for method in ("GET", "POST"):
        for path in paths(browser, method):
            assert browser.ask(method, path, host="evil.example.org").status == 421, path
    assert browser.app.asked == []


def test_every_change_refuses_a_foreign_page_a_form_without_end_and_one_without_a_token(
    browser: Browser,
) -> None:
    for path in paths(browser, "POST"):
        token = {"csrf": browser.login.token}
        assert browser.ask("POST", path, token, origin="https://evil.example.org").status == 403, path
        assert browser.ask("POST", path, token, sec_fetch_site="cross-site").status == 403, path
        assert browser.ask("POST", path, token, content_length=str(BODY_BYTES_MAX + 1)).status == 413, path
        assert browser.ask("POST", path, token, content_length="").status == 413, path
        for wrong in ({}, {"csrf": ""}, {"csrf": "guessed"}, {"csrf": browser.login.id}):
            answer = browser.ask("POST", path, wrong)
            assert answer.status == 403 or path in ("/login", "/logout"), path
    assert browser.site.logins.find(browser.login.id) is browser.login, "a foreign page logs no person out"
    assert browser.app.asked == []


@pytest.mark.parametrize(
    ("error", "status", "is_final"),
    [
        (Forbidden("this takes an admin key"), 403, True),
        (InvalidArgument("there is no such thing"), 400, False),
        (Unreachable("there is no master"), 503, False),
    ],
)
def test_a_view_that_a_key_may_not_see_is_refused_once_and_says_that_it_need_not_be_asked_for_again(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, is_final: bool
) -> None:
    def refuse(self: AwayApp, *words: Any, **named: Any) -> Any:
        raise error

    monkeypatch.setattr(AwayApp, "__call__", refuse)
    whole = browser.ask("GET", "/keys")
    assert (whole.status, str(error) in whole.text, " data-final " in whole.text) == (status, True, is_final)
    assert browser.ask("GET", "/keys", hx_request="true", hx_target="live").status == status


def test_no_change_is_made_by_an_address_alone(browser: Browser) -> None:
    shown = {filled(path) for path in VIEWS} | {filled(path) for path in WITHOUT_LOG_IN}
    for path in set(paths(browser, "POST")) - shown:
        answer = browser.ask("GET", f"{path}?csrf={browser.login.token}")
        assert answer.status in (404, 405), path
    assert browser.app.asked == []


@pytest.mark.parametrize("seconds", [IDLE_SECONDS + 1, ABSOLUTE_SECONDS + 1])
def test_every_address_leads_to_the_log_in_without_a_session_and_with_one_that_has_ended(
    browser: Browser, seconds: float
) -> None:
    def check() -> None:
        for method in ("GET", "POST"):
            for path in paths(browser, method):
                if path in ("/login", "/open", "/static/word"):
                    continue
                answer = browser.ask(method, path, {"csrf": browser.login.token})
                assert answer.status in (303, 401), path
                where = answer.headers.get("location") or answer.headers["hx-redirect"]
                assert where.startswith("/login"), path

    browser.clock.now = seconds
    check()
    assert browser.app.is_closed
    browser.cookie = None
    check()
    assert browser.app.asked == []


def test_every_answer_forbids_a_browser_all_that_a_page_does_not_need(browser: Browser) -> None:
    """Those of views while the master is away, too, and of addresses that are not there."""
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        for path in {*paths(browser, "GET"), *paths(browser, "POST"), "/nowhere", "/static/../site.py"}:
            if path == "/events" and method in ("GET", "HEAD"):
                continue  # it does not end
            answer = browser.ask(method, path)
            assert answer.status < 500 or answer.status == 503, (method, path)
            for name, value in HEADERS.items():
                assert answer.headers[name] == value, (method, path)
            assert "no-store" in answer.headers["cache-control"] or path.startswith("/static/"), path
            assert "access-control-allow-origin" not in answer.headers


def test_a_fault_of_the_page_is_said_and_shows_nothing_of_what_it_was_about(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: Any) -> Any:
        raise LookupError("a secret")

    monkeypatch.setattr(browser.site, "_context", broken)
    answer = browser.ask("GET", "/queues", fails=True)
    assert answer.status == 500
    assert "fault of tq itself (LookupError)" in answer.text
    assert "a secret" not in answer.text


@pytest.mark.parametrize(("seconds", "said"), [(0.7, "0.7"), (0.71, "0.8"), (0.04, "0.1"), (1e-6, "0.1")])
def test_a_page_that_was_given_an_older_view_looks_again_however_soon(seconds: float, said: str) -> None:
    assert again_in(seconds) == {"X-Again": said}
    assert again_in(0.0) == {}
