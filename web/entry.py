"""Logging in and out: with a key, or with a one-time link from the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..common.domain.durations import span
from ..common.errors import ConfigError, InvalidArgument, QuotaExceeded, Rejected, TqError
from .connecting import open_session
from .forms import TOKEN_FIELD, form_of, local_path
from .guard import address_of
from .logins import Login, Logins
from .pacing import TryLimiter
from .settings import PageSettings

COOKIE: Final = "tq"
SECURE_COOKIE: Final = "__Host-tq"  # a browser takes it over TLS only, and from no other name
KEY_CHARS_MAX: Final = 4_096
OLD_LINK: Final = "That link has been used, or is older than 60 seconds. Start `tq web --open` again for a new one, or give a key."

# Why a person is asked for a key again, by the word in the address: text in an address could be anyone's.
WHY: Final = {
    "refused": "The master takes the key that you were logged in with no longer: it was revoked, or replaced."
}

Layout = Callable[[str, Request, dict[str, Any], int], Response]


class LoginRoutes:
    def __init__(
        self, settings: PageSettings, logins: Logins, now: Callable[[], float], layout: Layout
    ) -> None:
        self._settings, self._logins, self._now, self._layout = settings, logins, now, layout
        self._tries = TryLimiter()
        self.cookie = SECURE_COOKIE if settings.is_secure else COOKIE

    def routes(self) -> list[Route]:
        return [
            Route("/login", self._form, methods=["GET"]),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/open", self._link, methods=["GET"]),
            Route("/open", self._open, methods=["POST"]),
            Route("/logout", self._log_out, methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        return self._page(request, "login.html", error=WHY.get(request.query_params.get("why", ""), ""))

    async def _link(self, request: Request) -> Response:
        """The word stands behind the #, which browsers do not send: it is in no log, and no program that fetches addresses in
        advance can use it up."""
        return self._page(request, "open.html")

    async def _log_in(self, request: Request) -> Response:
        form = await form_of(request)
        return await self._admit(request, form.get("key", "").strip()[:KEY_CHARS_MAX], form.get("next", "/"))

    async def _open(self, request: Request) -> Response:
        form = await form_of(request)
        if (wait := self._wait(request)) > 0:
            return self._too_fast(request, wait)
        key = self._logins.use_link(form.get("word", ""))
        if key is None:
            self._begin(request)
            return self._page(request, "login.html", 403, error=OLD_LINK)
        return await self._admit(request, key, "/")

    async def _admit(self, request: Request, key: str, next_path: str) -> Response:
        if (wait := self._wait(request)) > 0:
            return self._too_fast(request, wait)
        if not key:
            return self._page(
                request, "login.html", 400, error="Give a key: a join token, or the authkey of the master."
            )
        self._begin(request)
        try:
            app, info = await run_in_threadpool(open_session, self._settings.master, key)
        except (Rejected, InvalidArgument, ConfigError) as error:
            return self._page(request, "login.html", 403, error=str(error))
        except (TqError, TimeoutError) as error:
            self._forgive(request)
            return self._page(request, "login.html", 503, error=str(error))
        self._forgive(request)
        try:
            login = self._logins.open(app, info)
        except QuotaExceeded as error:
            await run_in_threadpool(app.close)
            return self._page(request, "login.html", 503, error=str(error))
        before = self._logins.find(request.cookies.get(self.cookie))
        if before is not None:
            await run_in_threadpool(self._logins.end, before)
        await login.watcher.look()
        login.watcher.start()
        response = RedirectResponse(local_path(next_path), 303)
        self._set_cookie(response, login)
        return response

    async def _log_out(self, request: Request) -> Response:
        login = self._logins.find(request.cookies.get(self.cookie))
        form = await form_of(request)
        if login is not None and form.get(TOKEN_FIELD) == login.token:
            await run_in_threadpool(self._logins.end, login)
        response = RedirectResponse("/login", 303)
        response.delete_cookie(self.cookie, secure=self._settings.is_secure, httponly=True, samesite="strict")
        return response

    def _set_cookie(self, response: Response, login: Login) -> None:
        """Without an age: it ends with the browser, and on this side by idleness."""
        response.set_cookie(
            self.cookie, login.id, path="/", secure=self._settings.is_secure, httponly=True, samesite="strict"
        )

    def _address(self, request: Request) -> str:
        return address_of(request.scope, behind_proxy=self._settings.behind_proxy)

    def _wait(self, request: Request) -> float:
        return self._tries.wait_seconds(self._address(request), self._now())

    def _begin(self, request: Request) -> None:
        self._tries.begin(self._address(request), self._now())

    def _forgive(self, request: Request) -> None:
        self._tries.forgive(self._address(request), self._now())

    def _too_fast(self, request: Request, wait: float) -> Response:
        error = f"Too many wrong keys: try again in {span(wait)}."
        response = self._page(request, "login.html", 429, error=error)
        response.headers["Retry-After"] = str(int(wait) + 1)
        return response

    def _page(self, request: Request, template: str, status: int = 200, *, error: str = "") -> Response:
        context = {
            "error": error,
            "master": self._settings.master,
            "next": request.query_params.get("next", "/"),
        }
        return self._layout(template, request, context, status)
