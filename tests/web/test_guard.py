"""What is refused before any view is asked, and what every answer forbids."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from tq.web.guard import BODY_BYTES_MAX, Guard, address_of, is_same_origin, name_of
from tq.web.settings import page_settings

LOCAL = page_settings(bind="127.0.0.1:15672", master="tq://127.0.0.1:5000")
BEHIND = page_settings(
    bind="127.0.0.1:15672", master="tq://127.0.0.1:5000", behind_proxy=True, names=("queue.example.org",)
)


def asked(method: str = "GET", settings: Any = LOCAL, **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer; ``x_y`` is the header ``x-y``."""
    given = {"host": "127.0.0.1:15672", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(PlainTextResponse("fine"), settings)(scope, receive, send))
    return sent[0]["status"], dict(Headers(raw=sent[0]["headers"]).items())


@pytest.mark.parametrize("host", ["127.0.0.1:15672", "localhost:9999", "[::1]:15672", "LOCALHOST"])
def test_a_request_for_a_name_of_this_page_gets_through(host: str) -> None:
    assert asked(host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example.org", "127.0.0.1.evil.example.org", "", "localhost@evil", "[::1].evil"]
)
def test_a_request_for_another_name_is_refused(host: str) -> None:
    assert asked(host=host)[0] == 421


def test_behind_a_proxy_its_name_counts() -> None:
    assert asked(settings=BEHIND, host="queue.example.org")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example.org"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_a_change_that_another_page_sends_is_refused(headers: dict[str, str]) -> None:
    assert asked("POST", content_length="0", **headers)[0] == 403


def test_a_change_that_this_page_sends_gets_through() -> None:
    headers = {"origin": "http://127.0.0.1:15672", "sec_fetch_site": "same-origin"}
    assert asked("POST", content_length=str(BODY_BYTES_MAX), **headers)[0] == 200


@pytest.mark.parametrize("length", [str(BODY_BYTES_MAX + 1), "-1", "x"])
def test_a_form_that_is_too_large_or_says_no_size_is_refused(length: str) -> None:
    assert asked("POST", content_length=length)[0] == 413
    assert asked("POST")[0] == 413


def test_every_answer_forbids_scripts_from_elsewhere_frames_and_guesses() -> None:
    for status, headers in (asked(), asked(host="evil.example.org")):
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, status
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers
    assert "strict-transport-security" in asked(settings=BEHIND, host="queue.example.org")[1]


def test_behind_a_proxy_only_what_the_proxy_appended_says_whose_a_request_is() -> None:
    forged = {"client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"1.1.1.1, 198.51.100.7")]}
    assert address_of(forged, behind_proxy=True) == "198.51.100.7"
    assert address_of(forged, behind_proxy=False) == "10.0.0.1"


def test_names_and_origins_are_compared_as_a_browser_writes_them() -> None:
    assert name_of("[::1]:80") == "[::1]"
    assert is_same_origin(Headers({"host": "Localhost:1", "origin": "http://localhost:1"}))
