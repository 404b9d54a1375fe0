"""A server for three pages, in the loop of the program that they describe: GET and HEAD, one request a connection.

A web framework would bring a router, bodies, upgrades and a server of its own. A probe needs one line in and one page out,
and must not be able to harm the program. So everything is bounded: connections, bytes, seconds. Nothing of a request is used
but its path, the name by which it addresses this host, and whether it accepts OpenMetrics.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple, cast

from ..wire.address import Address, is_loopback
from .callbacks import contained

# A probe or a scraper needs one for milliseconds; the master's spare descriptors are 16
CONNECTIONS_MAX: Final = 8
HEAD_BYTES_MAX: Final = 8 * 1024  # a browser's worst; a probe sends two hundred
REQUEST_SECONDS_MAX: Final = 5.0  # for the whole head, however slowly it trickles in
ANSWER_SECONDS_MAX: Final = 15.0  # for the page to be made and read; a scraper gives up after ten
BACKLOG: Final = 64

TEXT: Final = "text/plain; charset=utf-8"
REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]")
OPENMETRICS: Final = " as OpenMetrics"  # behind a path that has such a page as well; no request can name it, because of its blanks
OPENMETRICS_LINE: Final = re.compile(
    rb"^accept:[^\r\n]*application/openmetrics-text", re.IGNORECASE | re.MULTILINE
)
HOST_LINE: Final = re.compile(rb"^host:[ \t]*([!-~]*)[ \t]*$", re.IGNORECASE | re.MULTILINE)


class Page(NamedTuple):
    body: str
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = TEXT


Routes = Mapping[str, Callable[[], Awaitable[Page]]]


class Responder:
    """Serves ``routes`` (path: what makes the page) until ``close``."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._visitors: dict[_Visitor, None] = {}  # in the order they came
        self._listener: asyncio.Server | None = None
        self._local = False

    async def listen(self, address: Address) -> Address:
        """Open the port; the address that was bound. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._local = is_loopback(address.host)
        self._listener = await loop.create_server(
            lambda: _Visitor(self), address.host or None, address.port, backlog=BACKLOG
        )
        return Address(*self._listener.sockets[0].getsockname()[:2])

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for visitor in list(self._visitors):
            visitor.end()

    def enter(self, visitor: _Visitor) -> bool:
        """Whether there is a place. The oldest connection that has sent no request is closed for a new one, so that silent
        connections keep no probe out."""
        if len(self._visitors) >= CONNECTIONS_MAX:
            silent = next((one for one in self._visitors if not one.has_asked), None)
            if silent is None:
                return False
            silent.end()
        self._visitors[visitor] = None
        return True

    def leave(self, visitor: _Visitor) -> None:
        self._visitors.pop(visitor, None)

    def validate(self, head: bytes) -> Page | str:
        """The requested path, or the page that says what is wrong with the request."""
        line, _, fields = head.replace(b"\r\n", b"\n").partition(b"\n")
        match = REQUEST_LINE.fullmatch(line)
        if match is None:
            return _refusal(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
        method, target = match[1].decode(), match[2].decode().partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
        hosts = HOST_LINE.findall(fields)
        if self._local and not all(_is_this_host(host.decode()) for host in hosts):
            # Else a web page whose own name points to 127.0.0.1 could read these pages through its visitor's browser.
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, "ask for localhost")
        if target not in self._routes:
            paths = [path for path in self._routes if not path.endswith(OPENMETRICS)]
            return _refusal(HTTPStatus.NOT_FOUND, "there are " + ", ".join(paths))
        as_open = target + OPENMETRICS
        return as_open if as_open in self._routes and OPENMETRICS_LINE.search(fields) else target

    async def page(self, target: str) -> Page:
        return await self._routes[target]()


class _Visitor(asyncio.Protocol):
    """One connection: a head in, a page out, closed; whatever takes too long is cut off."""

    def __init__(self, responder: Responder) -> None:
        self._responder, self._loop = responder, asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def has_asked(self) -> bool:
        return self._answering is not None

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._responder.enter(self):
            self._transport.abort()
            return
        self._deadline = self._loop.call_later(REQUEST_SECONDS_MAX, self.end)

    @contained
    def data_received(self, data: bytes) -> None:
        if self._answering is not None or self._transport is None:
            return  # a body, or a second request: not read
        self._head += data
        end = re.search(rb"\r?\n\r?\n", self._head)
        speaks_http = self._head[:1].isupper()  # else it waits for an answer in its own language, such as TLS
        if end is None and len(self._head) <= HEAD_BYTES_MAX and speaks_http:
            return
        asked: Page | str = _refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long")
        if not speaks_http:
            asked = _refusal(HTTPStatus.BAD_REQUEST, "this is no HTTP request")
        elif end is not None and end.start() <= HEAD_BYTES_MAX:
            asked = self._responder.validate(bytes(self._head[: end.start()]))
        self._set_deadline(ANSWER_SECONDS_MAX)
        self._answering = self._loop.create_task(self._answer(asked, self._head.startswith(b"HEAD ")))
        self._head.clear()

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self.end()

    async def _answer(self, asked: Page | str, head_only: bool) -> None:
        try:
            page = asked if isinstance(asked, Page) else await self._responder.page(asked)
        except Exception as error:  # a page that cannot be made is a page that says so
            page = _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")
        if self._transport is not None:
            self._transport.write(_encode(page, head_only))
            self._transport.close()  # after what is written; the deadline stays for who does not read

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, self.end)

    def broke(self, error: Exception) -> None:
        """A callback failed: that costs this request."""
        self.end()

    def end(self) -> None:
        """The one way out; more than once does no harm."""
        self._responder.leave(self)
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._answering is not None:
            self._answering.cancel()


def _encode(page: Page, head_only: bool) -> bytes:
    body = page.body.encode()
    fields = {
        "Content-Type": page.content_type,
        "Content-Length": len(body),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }
    if page.status == HTTPStatus.METHOD_NOT_ALLOWED:
        fields["Allow"] = "GET, HEAD"
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n{lines}\r\n".encode()
    return head if head_only else head + body


def _refusal(status: HTTPStatus, text: str) -> Page:
    return Page(f"{status.value} {status.phrase}: {text}\n", status)


def _is_this_host(host: str) -> bool:
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in ("localhost", "")
    return True
