"""One HTTP session for each event loop: connections, names, redirects, limits. What is fetched is judged in target.py, from where in
addresses.py.

::

    URL ─► target ─► turn of its host ─► names looked up ─► addresses judged ─► connect to one of these ─► answer ─┬─► result
            ▲                                                                                                     │
            └────────────────────────── Location, credentials left out for another origin ◄───────────────────────┘

A name is looked up once, by ``Names``, and the connection is made to an address that it returned: there is no second look that could
have another answer. The socket itself is made by a function that judges once more, so no way past ``Names`` leads to a connection.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import math
import os
import socket
import warnings
import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
import tq
from yarl import URL

from .body import WINDOW_BITS, Body, Unpacking, encoding_of, too_large
from .ends import Refused, Unavailable, retry_after
from .names import AddressRefused, LookUp, Names, Policy, refused_words
from .target import checked_headers, headers_for, redirected, target
from .turns import HostTurns

KEEP_SECONDS: Final = 15.0  # an idle connection; many servers close theirs soon after
LINE_BYTES_MAX: Final = 8_190  # of an answer's first line, and of each header
HEADERS_MAX: Final = 128  # of an answer
HEAD_CHARS_MAX: Final = 64 * 1024  # of an answer's headers in all: they are stored with the result
BODY_BYTES_MAX: Final = 1024**3  # that is what a tq.Blob has
SECONDS_MAX: Final = 86_400.0
REDIRECTS_MAX: Final = 50
AGENT: Final = f"tq/{tq.__version__}"
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


@dataclass(kw_only=True, slots=True)  # not frozen: to make one would take three times as long
class Wish:
    """What a task asks for, judged: raises Refused when it is made."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    timeout: float = 30.0
    max_bytes: int = 10 * 1024 * 1024
    max_redirects: int = 10
    raw: bool = False

    def __post_init__(self) -> None:
        if self.method not in ("GET", "HEAD"):
            raise Refused(f"method is GET or HEAD, not {self.method!r:.40}")
        if not _is_number(self.timeout, 0.001, SECONDS_MAX):
            raise Refused(
                f"timeout is a number of seconds from 0.001 to {SECONDS_MAX:,.0f}, not {self.timeout!r:.40}"
            )
        if type(self.max_bytes) is not int or not 0 <= self.max_bytes <= BODY_BYTES_MAX:
            raise Refused(
                f"max_bytes is a whole number from 0 to {BODY_BYTES_MAX:,}, not {self.max_bytes!r:.40}"
            )
        if type(self.max_redirects) is not int or not 0 <= self.max_redirects <= REDIRECTS_MAX:
            raise Refused(
                f"max_redirects is a whole number from 0 to {REDIRECTS_MAX}, not {self.max_redirects!r:.40}"
            )


class HttpSession:
    """All fetches of one event loop. ``look_up``: in the place of the system's resolver."""

    def __init__(self, policy: Policy, look_up: LookUp | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._policy = policy
        self._turns = HostTurns(policy.per_host)
        self._names = Names(policy, look_up)
        self._kept = self._library_session(keepalive_timeout=KEEP_SECONDS)
        self._once = self._library_session(force_close=True)  # for hosts that are not asked again soon

    def _library_session(self, **how: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the worker's pool says how many tasks run at once, the turns how many ask one host
            resolver=cast(Any, self._names),
            socket_factory=cast(Any, self._socket),
            **how,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # nothing that one page sets reaches another one
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=None
            ),  # each fetch has one limit for all of it
            headers={"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": AGENT},
            auto_decompress=False,  # see body.py
            trust_env=False,  # no proxy, and no password from ~/.netrc
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )

    def _socket(self, info: Sequence[Any]) -> socket.socket:
        family, kind, protocol, _, (address, *_) = info
        if not self._policy.allows(address):
            raise AddressRefused(refused_words(address, [address]))
        return socket.socket(family, kind, protocol)

    @property
    def is_closed(self) -> bool:
        closed: bool = self._kept.closed
        return closed

    async def close(self) -> None:
        await self._kept.close()
        await self._once.close()
        await self._names.close()

    def drop(self) -> None:
        """In the place of ``close`` when the loop was closed before: nothing can be awaited there."""
        for http in (self._kept, self._once):
            connector = http.connector
            http.detach()
            if connector is not None:
                with contextlib.suppress(RuntimeError), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that it was not awaited
                    connector.close()

    async def fetch(self, wish: Wish) -> dict[str, Any]:
        """The result of a task. Raises Refused or Unavailable."""
        url, headers = target(wish.url), checked_headers(wish.headers)
        left, clock = wish.timeout, self._loop.time
        for _ in range(wish.max_redirects + 1):
            host = (url.raw_host or "", url.port or 0)
            await self._turns.take(host)  # does not count: others of this host take the time
            began = clock()
            try:
                found = await self._ask(wish, url, headers, left)
            finally:
                self._turns.give(host)
            if not isinstance(found, str):
                return found
            left -= clock() - began
            before, url = url, redirected(url, found)
            headers = headers_for(url, before, headers)
            if left <= 0:
                raise _late(wish, url)
        raise Refused(
            f"{wish.url:.300} redirects more than max_redirects, which is {wish.max_redirects}",
            {"url": str(url)},
        )

    async def _ask(
        self, wish: Wish, url: URL, headers: dict[str, str], seconds: float
    ) -> dict[str, Any] | str:
        """One request: the result, or where it redirects to."""
        http = self._kept if self._turns.is_recent((url.raw_host or "", url.port or 0)) else self._once
        try:
            async with (
                asyncio.timeout(seconds),
                http.request(wish.method, url, headers=headers, allow_redirects=False) as answer,
            ):
                location = answer.headers.get("Location") if answer.status in REDIRECTS else None
                return location or await _result(wish, url, answer)
        except TimeoutError:
            raise _late(wish, url) from None
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            # A time limit has left the loop in the middle, it was closed, and this coroutine is thrown away: nothing to close.
            raise GeneratorExit from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise Refused(str(error.os_error), {"url": str(url)}) from None
            words = error.os_error.strerror or str(error.os_error)
            raise Unavailable(f"{url!s:.300}: cannot connect: {words:.300}", {"url": str(url)}) from None
        except aiohttp.InvalidURL as error:
            raise Refused(f"not a URL: {error!s:.300}", {"url": str(url)}) from None
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            words = str(error) or type(error).__name__
            raise Unavailable(f"{url!s:.300}: {words:.300}", {"url": str(url)}) from None


async def _result(wish: Wish, url: URL, answer: aiohttp.ClientResponse) -> dict[str, Any]:
    status = answer.status
    if status == 429 or status >= 500:
        after = retry_after(answer.headers.get("Retry-After"))
        detail = {"url": str(url), "status": status}
        raise Unavailable(f"{url!s:.300} said {status} {_text(answer.reason or ''):.100}", detail, after)
    headers = _head(answer, wish)
    body = Body(wish.max_bytes)
    try:
        encoding = None if wish.raw else encoding_of(headers.get("content-type", ""))
        if wish.method == "HEAD":
            content: Any = None
        elif await _read(answer, body):
            content = await asyncio.to_thread(body.blob) if body.is_large else body.content()
            if encoding is not None and not body.is_large:
                content = content.decode(encoding, "replace")
        else:  # packed in a way that is not known here: as it came
            content = await asyncio.to_thread(body.blob) if body.is_large else body.content()
    finally:
        body.close()
    return {"url": str(url), "requested": wish.url, "status": status, "headers": headers, "body": content}


async def _read(answer: aiohttp.ClientResponse, body: Body) -> bool:
    """All of the body; False if it stays packed. Raises Refused once it is too large."""
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    stream, unpacking = answer.content, Unpacking(coding) if coding in WINDOW_BITS else None
    if unpacking is None and (answer.content_length or 0) > body.bytes_max:
        raise too_large(body.bytes_max)
    while data := await stream.readany():
        if unpacking is None:
            body.put(data)
            continue
        for piece in unpacking.feed(data):
            body.put(piece)
            await asyncio.sleep(0)
    if unpacking is not None and body.size and not unpacking.is_complete:
        raise aiohttp.ClientPayloadError("the packed body is not complete")
    return unpacking is not None or coding in ("identity", "")


def _head(answer: aiohttp.ClientResponse, wish: Wish) -> dict[str, str]:
    """Names in lower case; values of one name in one text, of Set-Cookie a line each."""
    head: dict[str, str] = {}
    chars = 0
    for name, value in answer.headers.items():
        name, value = name.lower(), value if value.isascii() else _text(value)
        chars += len(name) + len(value)
        if name in head:
            value = f"{head[name]}{_between(name)}{value}"
        head[name] = value
    if chars > HEAD_CHARS_MAX:
        raise Refused(f"{wish.url:.300} answers with more than {HEAD_CHARS_MAX:,} characters of headers")
    return head


def _between(name: str) -> str:
    return "\n" if name == "set-cookie" else ", "


def _text(value: str) -> str:
    """Bytes that the library could not read, as signs of replacement: half characters can be stored nowhere."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _late(wish: Wish, url: URL) -> Unavailable:
    return Unavailable(f"{url!s:.300}: no complete answer within {wish.timeout:g} s", {"url": str(url)})


def _is_number(value: object, low: float, high: float) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    )


# one for each event loop of this process


class _Kept:
    """A session and what closes it with its loop."""

    def __init__(self, policy: Policy) -> None:
        self.session = HttpSession(policy)
        self.keeper = _until_the_loop_ends(self.session)


async def _until_the_loop_ends(session: HttpSession) -> AsyncGenerator[None, None]:
    """``loop.shutdown_asyncgens()``, which every orderly end of a loop calls, ends this."""
    try:
        yield
    finally:
        await session.close()


_policy: Policy | None = None  # as the worker has said
_kept: dict[asyncio.AbstractEventLoop, _Kept] = {}


def set_policy(*, is_private: bool) -> None:
    """Called by the worker before it serves anything; raises tq.ConfigError."""
    global _policy
    _policy = Policy.from_environment(os.environ, is_private=is_private)


def here() -> HttpSession | None:
    """The session of the running loop, if it has one already."""
    kept = _kept.get(asyncio.get_running_loop())
    return None if kept is None else kept.session


async def current() -> HttpSession:
    """The session of the running loop. A process without a policy of its own fetches from public addresses only."""
    loop = asyncio.get_running_loop()
    kept = _kept.get(loop)
    if kept is not None:
        return kept.session
    for other in [
        one for one in _kept if one.is_closed()
    ]:  # a task was stopped in the middle, and its loop with it
        _kept.pop(other).session.drop()
    policy = _policy or Policy.from_environment(os.environ, is_private=False)
    kept = _kept[loop] = _Kept(policy)
    await anext(kept.keeper)
    return kept.session


@atexit.register
def _close_all() -> None:
    for loop, kept in list(_kept.items()):
        if not loop.is_closed() and not loop.is_running():
            loop.run_until_complete(kept.keeper.aclose())
