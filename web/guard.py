"""Stands before everything: whose name a request is for, how large it is, and what each answer forbids a browser.

A request for another name is refused (DNS rebinding: a foreign page that lets its own name point here). Every answer forbids inline
scripts and styles, frames, foreign sources and guesses of types; so text that got into a page in spite of all could do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .settings import PageSettings

BODY_BYTES_MAX: Final = 64 * 1024  # forms are short
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    # With "no-referrer" a browser would send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Guard:
    def __init__(self, app: ASGIApp, settings: PageSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the page has no web sockets

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers().items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refused(scope["method"], Headers(scope=scope))
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _headers(self) -> dict[str, str]:
        more = {"Strict-Transport-Security": "max-age=31536000"} if self._settings.is_secure else {}
        return {**HEADERS, **more}

    def _refused(self, method: str, headers: Headers) -> PlainTextResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or name_of(hosts[0]) not in self._settings.names:
            text = "This page is not known by that name. Start it with --host NAME to add one.\n"
            return PlainTextResponse(text, 421)
        if method in SAFE_METHODS:
            return None
        if not is_same_origin(headers):
            return PlainTextResponse("A change must come from this page itself.\n", 403)
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            return PlainTextResponse(f"A form of this page has {BODY_BYTES_MAX:,} bytes at most.\n", 413)
        return None


def name_of(host: str) -> str:
    """``localhost`` of ``localhost:15672``, in lower case."""
    host = host.strip().lower()
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host
    return name if port.isascii() and port.isdigit() else host


def is_same_origin(headers: Headers) -> bool:
    """Whether a browser says that a page of ours has sent it. What sends neither header is no browser, and has no cookie."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers["host"].strip().lower()


def address_of(scope: Mapping[str, Any], *, behind_proxy: bool) -> str:
    """Whose request it is, for counting tries: behind a proxy what that has appended itself, never what was there before."""
    if behind_proxy:
        said = Headers(raw=scope["headers"]).getlist("x-forwarded-for")
        if said:
            return said[-1].rpartition(",")[2].strip()[:64]
    client = scope.get("client")
    return str(client[0]) if client else ""
