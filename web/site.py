"""The page as an ASGI application: which address shows which view, who may see it, and how a change gets through.

::

    GET  ─► log-in of the cookie ─► view, in a thread ─► whole page | the part that changes | CSV | JSON
    POST ─► log-in of the cookie ─► its token in the form ─► action, in a thread ─► back, with a sentence

A change is made by POST alone, with the token of the log-in besides the cookie.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..common.errors import Forbidden, Rejected, TqError, Unreachable
from .connecting import missing_of
from .entry import LoginRoutes
from .exporting import as_csv, as_document
from .forms import BACK_FIELD, TOKEN_FIELD, form_of, local_path
from .guard import Guard
from .hinting import filter_hints, strike_hints
from .logins import Login, Logins
from .page import Action, Done, ShownPage, View, ViewRequest
from .rendering import render, version_of_static
from .settings import PageSettings
from .sharing import SharedViews
from .static_files import Static
from .streaming import EventStreams
from .table import ACTIONS, NAVIGATION, PERSONAL, VIEWS

SWEEP_SECONDS: Final = 60.0
LIVE: Final = "live"  # the id of the part that changes

Endpoint = Callable[[Request], Awaitable[Response]]


class Site:
    """``app`` is what a server runs, ``routes`` all that it answers."""

    def __init__(self, settings: PageSettings, now: Callable[[], float] = time.monotonic) -> None:
        self.settings, self.logins = settings, Logins(now)
        self._shared = SharedViews(now)
        self.closing = asyncio.Event()  # open streams end
        self._entry = LoginRoutes(settings, self.logins, now, self._layout)
        self._streams = EventStreams(self.logins, self.closing)
        self.routes: Sequence[Route] = [
            *self._entry.routes(),
            Route("/events", self._logged_in(self._streams.events), methods=["GET"]),
            Route("/series", self._logged_in(self._streams.series), methods=["GET"]),
            Route("/hints", self._logged_in(filter_hints), methods=["GET"]),
            Route("/hints/strike", self._logged_in(strike_hints), methods=["GET"]),
            Route("/static/{path:path}", Static().file, methods=["GET"]),
            *(
                Route(path, self._view(view, path not in PERSONAL), methods=["GET"])
                for path, view in VIEWS.items()
            ),
            *(Route(path, self._action(action), methods=["POST"]) for path, action in ACTIONS.items()),
        ]
        app = Starlette(
            routes=self.routes, lifespan=self._lifespan, exception_handlers={Exception: _say_broken}
        )
        self.app: ASGIApp = Guard(app, settings)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(self._sweep())
        yield
        sweeper.cancel()
        self.closing.set()
        await run_in_threadpool(self.logins.end_all)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await run_in_threadpool(self.logins.sweep)

    def login_of(self, request: Request) -> Login | None:
        return self.logins.find(request.cookies.get(self._entry.cookie))

    def _logged_in(self, endpoint: Callable[[Request, Login], Awaitable[Response]]) -> Endpoint:
        async def found(request: Request) -> Response:
            login = self.login_of(request)
            return _to_log_in(request) if login is None else await endpoint(request, login)

        return found

    # views

    def _view(self, view: View, is_shared: bool) -> Endpoint:
        async def endpoint(request: Request, login: Login) -> Response:
            asked = ViewRequest(path=request.path_params, query=dict(request.query_params))
            return await run_in_threadpool(self._shown, view, is_shared, login, asked, request)

        return self._logged_in(endpoint)

    def _shown(
        self, view: View, is_shared: bool, login: Login, asked: ViewRequest, request: Request
    ) -> Response:
        is_part = request.headers.get("hx-target") == LIVE
        place, again = (_key_of(login), _address(request)), 0.0

        def made() -> ShownPage:
            return view(login, asked)

        try:
            if form := asked.get("format"):
                return _as_file(made(), form)
            if not is_shared:
                page = made()
            elif is_part:
                page, again = self._shared.again(place, made)
            else:
                page = self._shared.fresh(place, made)
        except Rejected:
            self.logins.end(login)
            return _to_log_in(request, "refused")
        except (TqError, TimeoutError) as error:
            if is_part:
                return PlainTextResponse(str(error), _status_of(error))
            return self._failed(login, request, error)
        live = render(page.template, self._context(login, request) | dict(page.context))
        version = hashlib.sha256(live.encode()).hexdigest()[:16]
        if is_part:
            headers = again_in(again)
            if request.headers.get("x-seen") == version:
                return Response(status_code=204, headers=headers)
            return Response(live, media_type="text/html", headers={"X-Version": version, **headers})
        return self._whole(login, request, page, live, version)

    def _failed(self, login: Login, request: Request, error: Exception) -> Response:
        """An error as a page, with what leads on from there."""
        is_away, is_refused = isinstance(error, (Unreachable, TimeoutError)), isinstance(error, Forbidden)
        context = self._context(login, request) | {"error": str(error), "is_away": is_away}
        page = ShownPage(
            title="The master does not answer" if is_away else "That cannot be shown",
            template="error.html",
            command="tq doctor",
            is_final=is_refused,
        )
        live = render(page.template, context)
        return self._whole(login, request, page, live, "", status=_status_of(error))

    def _whole(
        self, login: Login, request: Request, page: ShownPage, live: str, version: str, status: int = 200
    ) -> Response:
        context = self._context(login, request) | dict(page.context)
        head = None if page.head is None else render(page.head, context)
        more = {"page": page, "live": live, "head": head, "version": version, "notes": login.take_notes()}
        return self._layout("base.html", request, context | more, status)

    def _context(self, login: Login, request: Request) -> dict[str, Any]:
        return {
            "login": login,
            "may": login.may,
            "csrf": login.token,
            "here": _address(request),
            "path": request.url.path,
            "navigation": [one for one in NAVIGATION if one.role is None or login.may(one.role)],
            "master": self.settings.master,
            "away_since": login.watcher.away_since,
            "missing": missing_of(login.app),
        }

    def _layout(
        self, template: str, request: Request, context: Mapping[str, Any], status: int = 200
    ) -> Response:
        whole = render(template, {"static": version_of_static(), **context})
        return Response(whole, status, media_type="text/html")

    # changes

    def _action(self, action: Action) -> Endpoint:
        async def endpoint(request: Request, login: Login) -> Response:
            form = await form_of(request)
            if not secrets.compare_digest(form.get(TOKEN_FIELD, "").encode(), login.token.encode()):
                return PlainTextResponse("This form is not of your log-in: load the page again.\n", 403)
            asked = ViewRequest(path=request.path_params, query=form)
            done = await run_in_threadpool(self._perform, action, login, asked)
            return RedirectResponse(local_path(done.to or form.get(BACK_FIELD, "/")), 303)

        return self._logged_in(endpoint)

    def _perform(self, action: Action, login: Login, asked: ViewRequest) -> Done:
        try:
            done = action(login, asked)
        except (TqError, TimeoutError) as error:
            login.note(str(error), is_error=True)
            return Done()
        finally:  # an error may come after a part was changed, or instead of the answer
            login.watcher.has_changed()
            self._shared.has_changed(_key_of(login))
        if done.note:
            login.note(done.note)
        return done


async def _say_broken(request: Request, error: Exception) -> Response:
    """A bug: where to look, and nothing of what it was about. The server logs it."""
    said = f"This page is broken, by a fault of tq itself ({type(error).__name__}); the log of tq web has the traceback.\n"
    return PlainTextResponse(said, 500)


def again_in(seconds: float) -> dict[str, str]:
    """The header for a page that is to look again then; of 0: it need not. Rounded up: less than a tenth would say that, and the page
    would go on showing what was."""
    return {"X-Again": f"{math.ceil(10 * seconds) / 10:.1f}"} if seconds else {}


def _status_of(error: Exception) -> int:
    if isinstance(error, Forbidden):
        return 403
    return 503 if isinstance(error, (Unreachable, TimeoutError)) else 400


def _key_of(login: Login) -> str:
    """What all log-ins share that are shown the same."""
    return f"{login.key} {login.role}"


def _address(request: Request) -> str:
    """The address with its query, as it stands in the browser."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _to_log_in(request: Request, why: str = "") -> Response:
    here = _address(request)
    where = f"/login?next={quote(here if request.method == 'GET' else '/', safe='')}"
    if why:
        where += f"&why={why}"
    headers = Headers(scope=request.scope)
    if "hx-request" in headers or request.url.path in ("/events", "/series", "/hints"):
        return Response(status_code=401, headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


def _as_file(page: ShownPage, form: str) -> Response:
    if page.rows is None or form not in ("csv", "json"):
        return PlainTextResponse(
            "This view has no such file: ?format=csv and ?format=json are of tables.\n", 404
        )
    rows = page.rows()
    name = "".join(one if one.isalnum() else "-" for one in page.title.lower())[:60]
    headers = {"Content-Disposition": f'attachment; filename="tq-{quote(name)}.{form}"'}
    if form == "csv":
        return Response(as_csv(rows), media_type="text/csv", headers=headers)
    return Response(as_document(rows), media_type="application/json", headers=headers)
