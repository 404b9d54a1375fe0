"""Fetching from servers that are slow, wrong or hostile, over real sockets; names are looked up by a resolver of the test."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import socket
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import tq
from tq.tasks.http import names
from tq.tasks.http import session as session_module
from tq.tasks.http.addresses import refusal
from tq.tasks.http.ends import Refused, Unavailable
from tq.tasks.http.names import Policy
from tq.tasks.http.session import HttpSession, Wish

OPEN = Policy(is_private=True)
KIB, MIB = 1024, 1024 * 1024


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Server:
    """Answers by path: bytes, or a function that writes to the connection. Notes what it was sent."""

    def __init__(self, pages: dict[str, Any]) -> None:
        self.pages, self.heads, self.connections, self.at_once, self.most = pages, list[bytes](), 0, 0, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                self.at_once += 1
                self.most = max(self.most, self.at_once)
                try:
                    page = self.pages[head.split(b" ")[1].decode()]
                    if isinstance(page, bytes):
                        writer.write(page)
                    else:
                        await page(writer)
                        break
                finally:
                    self.at_once -= 1
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self, host: str = "127.0.0.1", port: int = 0) -> Any:
        server = await asyncio.start_server(self.serve, host, port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()


Page = Callable[[asyncio.StreamWriter], Awaitable[None]]


def endless(head: bytes, part: bytes, pause: float = 0.0) -> Page:
    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        never = asyncio.get_running_loop().create_future()
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.wait([never], timeout=pause)

    return page


def cut_off(data: bytes) -> Page:
    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return page


def run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(check, 50))


async def fetched(pages: dict[str, Any], path: str = "/", **wish: Any) -> dict[str, Any]:
    async with Server(pages).listening() as port:
        session = HttpSession(OPEN)
        try:
            return await session.fetch(
                Wish(url=f"http://127.0.0.1:{port}{path}", **{"timeout": 10.0, **wish})
            )
        finally:
            await session.close()


# what comes back


def test_a_result_is_plain_and_has_what_the_server_said() -> None:
    page = answer(
        "grüß".encode(), "Content-Type: text/html", "X-A: 1", "X-A: 2", "Set-Cookie: a=b, c", "Set-Cookie: d"
    )
    found = asyncio.run(fetched({"/": page}))
    assert (found["status"], found["body"], found["url"]) == (200, "grüß", found["requested"])
    assert (found["headers"]["x-a"], found["headers"]["set-cookie"]) == ("1, 2", "a=b, c\nd")


@pytest.mark.parametrize(
    ("page", "wish", "body"),
    [
        (answer(b"\xff\xfe", "Content-Type: image/png"), {}, b"\xff\xfe"),
        (answer(b"a\xff", "Content-Type: text/plain"), {}, "a\ufffd"),
        (answer(b"a\xff", "Content-Type: text/plain"), {"raw": True}, b"a\xff"),
        (answer(b"\xe4", "Content-Type: text/plain; charset=latin-1", "X: y"), {}, b"\xe4"),
        (answer(b"\xe4", "Content-Type: text/plain; charset=iso-8859-1"), {}, "ä"),
        (answer(gzip.compress(b"abc"), "Content-Encoding: gzip", "Content-Type: text/plain"), {}, "abc"),
        (answer(b"packed", "Content-Encoding: br", "Content-Type: text/plain"), {}, b"packed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", {"method": "HEAD"}, None),
        (answer(b"", "Content-Encoding: gzip", status="304 Not Modified"), {}, b""),
        (answer(b"gone", "Content-Type: text/plain", status="404 Not Found"), {}, "gone"),
        (answer(b"x" * 300_000, "Content-Type: text/plain"), {}, tq.Blob.of(b"x" * 300_000)),
    ],
)  # fmt: skip
def test_a_body_is_text_bytes_or_a_blob(page: bytes, wish: dict[str, Any], body: object) -> None:
    assert asyncio.run(fetched({"/": page}, **wish))["body"] == body


def test_a_header_that_is_no_text_is_stored_with_signs_of_replacement() -> None:
    found = asyncio.run(fetched({"/": answer(b"", "X-Name: \xff\xfe")}))
    assert found["headers"]["x-name"] == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("status", "header", "after"),
    [
        ("429 Too Many", "Retry-After: 7", 7.0),
        ("503 No", "Retry-After: 99999999", 3_600.0),
        ("500 No", "X: y", None),
    ],
)
def test_429_and_5xx_are_put_off_as_the_server_asks(status: str, header: str, after: float | None) -> None:
    with pytest.raises(Unavailable, match=f"said {status}") as raised:
        asyncio.run(fetched({"/": answer(b"", header, status=status)}))
    assert isinstance(raised.value, tq.Retry)
    assert (raised.value.after, raised.value.tq_detail["status"]) == (after, int(status[:3]))


# hostile pages

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(30 * MIB))
TOO_LARGE = {
    "an endless body": endless(HEAD + b"\r\n", bytes(64 * KIB)),
    "an endless body in chunks": endless(CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"),
    "a length that is too large": HEAD + b"Content-Length: 99999999999\r\n\r\n",
    "a bomb": answer(BOMB, "Content-Encoding: gzip"),
    "a bomb in a thousand members": endless(
        HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(10 * KIB))
    ),
    "empty members without end": endless(
        HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 1_000
    ),
    "a redirect to itself": answer(b"", "Location: /", status="302 Found"),
    "many headers in all": answer(b"", *(f"X-{number}: {'y' * 1000}" for number in range(100))),
}
PUT_OFF = {
    "a slow drip": endless(HEAD + b"Content-Length: 1000\r\n\r\n", b"x", 0.05),
    "a slow drip of headers": endless(HEAD, b"X: y\r\n", 0.05),
    "silence": endless(b"", b"", 0.05),
    "endless interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "a header of 10 MB": endless(HEAD + b"X: ", b"y" * 64 * KIB),
    "headers without end": endless(HEAD, b"X: y\r\n" * 1000),
    "a first line without end": endless(b"HTTP/1.1 200 ", b"y" * 64 * KIB),
    "chunks that are none": cut_off(CHUNKED + b"zz\r\nnonsense\r\n"),
    "a chunk of a negative size": cut_off(CHUNKED + b"-5\r\nhello\r\n"),
    "a chunk's extension without end": endless(CHUNKED + b"5;", b"x" * 64 * KIB),
    "a body that is cut off": cut_off(HEAD + b"Content-Length: 100\r\n\r\nhello"),
    "what is not HTTP": cut_off(b"SSH-2.0-OpenSSH\r\n"),
    "an immediate end": cut_off(b""),
    "a packed body that is cut off": cut_off(answer(gzip.compress(b"a" * KIB)[:-9], "Content-Encoding: gzip")),
    "a packed body that is none": answer(b"hello", "Content-Encoding: gzip"),
    "two lengths": cut_off(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
}  # fmt: skip


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_is_too_large_or_does_not_end_is_refused_for_good(what: str) -> None:
    with pytest.raises(Refused):
        asyncio.run(fetched({"/": TOO_LARGE[what]}, max_bytes=MIB, max_redirects=3))


@pytest.mark.parametrize("what", PUT_OFF)
def test_an_answer_that_is_not_complete_and_right_is_put_off_in_time(what: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable):
        asyncio.run(fetched({"/": PUT_OFF[what]}, timeout=0.6))
    assert time.monotonic() - began < 20


def test_no_cookie_is_kept_not_even_for_a_redirect_of_the_same_host() -> None:
    async def check() -> None:
        server = Server(
            {
                "/": answer(b"", "Set-Cookie: id=1; Path=/", "Location: /b", status="302 Found"),
                "/b": answer(b"b"),
            }
        )
        async with server.listening() as port:
            session = HttpSession(OPEN)
            for _ in range(2):
                await session.fetch(Wish(url=f"http://127.0.0.1:{port}/"))
            await session.close()
        assert len(server.heads) == 4
        assert not [head for head in server.heads if b"cookie" in head.lower()]

    run(check())


def test_credentials_reach_no_other_origin_and_stay_left_out_on_the_way_back() -> None:
    async def check() -> None:
        here, there = Server({}), Server({})
        async with here.listening() as port, there.listening() as other:
            here.pages = {
                "/": answer(b"", "Location: /own", status="307 Temporary"),
                "/own": answer(b"", f"Location: http://127.0.0.1:{other}/", status="301 Moved"),
                "/back": answer(b"end"),
            }
            there.pages = {"/": answer(b"", f"Location: http://127.0.0.1:{port}/back", status="303 See")}
            session = HttpSession(OPEN)
            headers = {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Accept": "text/html"}
            found = await session.fetch(Wish(url=f"http://127.0.0.1:{port}/", headers=headers))
            await session.close()
        assert found["url"].endswith("/back")
        assert [b"s3cret" in head for head in (*here.heads, *there.heads)] == [True, True, False, False]
        assert all(b"text/html" in head for head in (*here.heads, *there.heads))

    run(check())


# where to


def test_private_addresses_are_refused_however_they_are_written_and_nothing_connects() -> None:
    async def check() -> None:
        server = Server({"/": answer(b"inside")})
        known = {
            "mapped.example": "::ffff:127.0.0.1",
            "nat.example": "64:ff9b::7f00:1",
            "meta.example": "169.254.169.254",
        }

        async def look_up(host: str, port: int) -> list[str]:
            return [known.get(host, "127.0.0.1")]

        async with server.listening() as port:
            session = HttpSession(Policy(), look_up)
            for host in (
                "127.0.0.1",
                "localhost",
                "0.0.0.0",  # noqa: S104
                "[::1]",
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1]",
                "inside.example",
                *known,
            ):
                with pytest.raises(Refused, match="--http-private"):
                    await session.fetch(Wish(url=f"http://{host}:{port}/"))
            await session.close()
        assert server.connections == 0

    run(check())


def test_a_name_that_has_another_address_at_the_second_look_is_connected_to_where_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """127.0.0.2 is a public address in this test; 127.0.0.1 is inside."""
    monkeypatch.setattr(names, "refusal", lambda one: None if one == "127.0.0.2" else refusal(one))

    async def check() -> None:
        inside, outside = Server({"/": answer(b"secret"), "/go": answer(b"secret")}), Server({})
        looks: list[str] = []

        async def look_up(host: str, port: int) -> list[str]:
            looks.append(host)
            return (
                ["127.0.0.1"]
                if host == "inside.example" or looks.count(host) > 1
                else ["127.0.0.2", "127.0.0.1"]
            )

        async with inside.listening() as port, outside.listening("127.0.0.2", port):
            outside.pages = {
                "/": answer(b"public"),
                "/go": answer(b"", f"Location: http://inside.example:{port}/", status="302 Found"),
                "/literal": answer(b"", f"Location: http://127.0.0.1:{port}/", status="302 Found"),
            }
            session = HttpSession(Policy(), look_up)
            found = await session.fetch(Wish(url=f"http://rebind.example:{port}/"))
            assert (found["body"], looks) == (b"public", ["rebind.example"])
            for url in (f"http://a.example:{port}/go", f"http://b.example:{port}/literal"):
                with pytest.raises(Refused, match=r"127\.0\.0\.1 \(loopback\)"):
                    await session.fetch(Wish(url=url))
            await session.close()
            later = HttpSession(Policy(), look_up)  # which has no connection and no memory of names
            with pytest.raises(Refused):
                await later.fetch(Wish(url=f"http://rebind.example:{port}/"))
            await later.close()
        assert inside.connections == 0

    run(check())


def test_what_the_system_calls_no_name_is_put_off() -> None:
    async def check() -> None:
        async def look_up(host: str, port: int) -> list[str]:
            raise OSError("no such name")

        session = HttpSession(Policy(), look_up)
        with pytest.raises(Unavailable, match="no such name"):
            await session.fetch(Wish(url="http://nowhere.example/"))
        await session.close()

    run(check())


# connections


def test_so_many_requests_to_one_host_at_once_and_their_connections_are_used_again() -> None:
    async def check() -> None:
        server = Server({"/": answer(b"ok")})
        async with server.listening() as port:
            session = HttpSession(Policy(is_private=True, per_host=3))
            wish = Wish(url=f"http://127.0.0.1:{port}/")
            await asyncio.gather(*(session.fetch(wish) for _ in range(60)))
            await session.close()
        assert (len(server.heads), server.most <= 3, server.connections <= 5) == (60, True, True)

    run(check())


def test_a_host_that_is_asked_once_costs_no_idle_connection() -> None:
    async def check() -> None:
        server = Server({"/": answer(b"ok")})

        async def look_up(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with server.listening() as port:
            session = HttpSession(OPEN, look_up)
            for number in range(100):
                await session.fetch(Wish(url=f"http://host{number}.example:{port}/"))
            assert sum(map(len, session._kept.connector._conns.values())) == 0  # type: ignore[union-attr]
            assert sum(map(len, session._once.connector._conns.values())) == 0  # type: ignore[union-attr]
            await session.close()

    run(check())


def test_the_session_is_of_the_running_loop_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_kept", {})

    async def check() -> HttpSession:
        first, second = await asyncio.gather(session_module.current(), session_module.current())
        assert first is second
        return first

    first = asyncio.run(check())
    assert first.is_closed  # as asyncio.run shuts its loop down
    assert asyncio.run(check()) is not first
    stopped = asyncio.new_event_loop()
    dropped = stopped.run_until_complete(check())
    stopped.close()  # a task was stopped in the middle of it
    asyncio.run(check())
    assert dropped.is_closed


# what a task may ask for, and what a worker may say

BAD_WISHES: list[dict[str, Any]] = [
    {"method": "POST"}, {"method": "GET\r\nX: y"}, {"timeout": 0}, {"timeout": float("nan")}, {"timeout": float("inf")},
    {"timeout": "1"}, {"timeout": True}, {"timeout": 1e9}, {"max_bytes": -1}, {"max_bytes": 1024**4}, {"max_bytes": 1.5},
    {"max_redirects": 51}, {"max_redirects": True},
]  # fmt: skip


@pytest.mark.parametrize("wish", BAD_WISHES)
def test_numbers_out_of_their_range_are_refused_with_the_range(wish: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=f"{next(iter(wish))} is "):
        Wish(url="http://example.org/", **wish)


def test_a_fetch_that_is_left_in_the_middle_makes_no_noise_when_it_is_thrown_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a time limit leaves it in a child that runs one task at a time. What is raised while it goes would fail this test."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        loop = asyncio.new_event_loop()

        def strike() -> None:
            raise KeyboardInterrupt

        async def fetch() -> None:
            session = HttpSession(OPEN)
            dropped.append(session)
            loop.call_later(0.1, strike)
            await session.fetch(Wish(url=f"http://127.0.0.1:{silent.getsockname()[1]}/"))

        dropped: list[HttpSession] = []
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(fetch())
        loop.close()
        dropped.pop().drop()
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ResourceWarning
            )  # the sockets of a loop that was closed around them
            gc.collect()
    assert "Unclosed" not in caplog.text
