"""The responder for probes, met by strangers: over real sockets, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tq.common.runtime import http
from tq.common.runtime.http import CONNECTIONS_MAX, HEAD_BYTES_MAX, OPENMETRICS, Page, Responder
from tq.common.wire.address import Address

SECONDS = 10.0  # far more than any answer takes


async def hello() -> Page:
    return Page("hello\n")


async def broken() -> Page:
    raise RuntimeError("no page")


async def large() -> Page:
    return Page("x" * 20_000_000)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[int]:
    responder = Responder({"/hello": hello, "/broken": broken, "/large": large})
    address = await responder.listen(Address("127.0.0.1", 0))
    try:
        yield address.port
    finally:
        responder.close()


def run(scene: Callable[[int], Awaitable[None]]) -> None:
    async def play() -> None:
        async with serving() as port:
            await asyncio.wait_for(scene(port), 30)

    asyncio.run(play())


async def ask(port: int, request: bytes) -> bytes:
    """All that is answered until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), SECONDS)
        return b""
    finally:
        writer.close()


def answers(request: bytes) -> bytes:
    said: list[bytes] = []

    async def scene(port: int) -> None:
        said.append(await ask(port, request))

    run(scene)
    return said[0]


def test_a_page_is_served_with_its_length_and_the_connection_is_closed() -> None:
    said = answers(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 6" in head
    assert b"Connection: close" in head
    assert body == b"hello\n"


def test_head_gives_the_head_alone() -> None:
    head, _, body = answers(b"HEAD /hello HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert b"Content-Length: 6" in head
    assert body == b""


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /hello?verbose=1 HTTP/1.0\r\n\r\n", 200),
        (b"GET /hello HTTP/1.1\n\n", 200),
        (b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1:5002\r\n\r\n", 200),
        (b"GET /hello HTTP/1.1\r\nHost: [::1]:5002\r\n\r\n", 200),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"GET /hello HTTP/1.1\r\nHost: rebound.example.org\r\n\r\n", 421),
        (b"GET /hello HTTP/1.1\r\nhost : x\r\nHOST:\tevil\r\n\r\n", 421),
        (b"POST /hello HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde", 405),
        (b"DELETE /hello HTTP/1.1\r\n\r\n", 405),
        (b"GET hello HTTP/1.1\r\n\r\n", 400),
        (b"GET /hello HTTP/2\r\n\r\n", 400),
        (b"GET /hel\0lo HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400),
        (b"\r\n\r\n", 400),
        (b"GET /broken HTTP/1.1\r\n\r\n", 500),
    ],
)
def test_every_request_has_its_answer(request_bytes: bytes, status: int) -> None:
    assert answers(request_bytes).startswith(b"HTTP/1.1 %d " % status)


def test_a_head_up_to_the_limit_is_read_and_a_longer_one_refused() -> None:
    line = b"GET /hello HTTP/1.1\r\nX: "
    fits = line + b"x" * (HEAD_BYTES_MAX - len(line)) + b"\r\n\r\n"
    assert answers(fits).startswith(b"HTTP/1.1 200 ")
    assert answers(fits.replace(b"X: ", b"X: x")).startswith(b"HTTP/1.1 431 ")


def test_a_head_without_an_end_is_refused_when_it_is_too_long() -> None:
    assert answers(b"GET /hello HTTP/1.1\r\n" + b"x" * HEAD_BYTES_MAX).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_trickles_in_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS_MAX", 0.3)

    async def scene(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(reader.read())
        with contextlib.suppress(ConnectionError):
            while not reading.done():
                writer.write(b"G")
                await writer.drain()
                await asyncio.wait([reading], timeout=0.05)
            assert await reading == b""
        writer.close()

    run(scene)


def test_who_does_not_read_the_page_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_SECONDS_MAX", 0.3)

    async def scene(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
        writer.write(b"GET /large HTTP/1.1\r\n\r\n")
        await reader.readexactly(100)  # it came this far, and now it is not read
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=1.0)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(20_000_000)
        writer.close()
        assert (await ask(port, b"GET /hello HTTP/1.1\r\n\r\n")).endswith(b"hello\n")

    run(scene)


def test_silent_connections_keep_no_one_out() -> None:
    async def scene(port: int) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        for _ in range(2):
            assert (await ask(port, b"GET /hello HTTP/1.1\r\n\r\n")).endswith(b"hello\n")
        assert await silent[0][0].read() == b""  # who came first gave way
        writer = silent[-1][1]
        writer.write(b"GET /hello HTTP/1.1\r\n\r\n")
        assert (await silent[-1][0].read()).endswith(b"hello\n")
        for _, writer in silent:
            writer.close()

    run(scene)


def test_no_more_pages_are_under_way_than_there_are_places() -> None:
    async def scene(port: int) -> None:
        greedy = [
            await asyncio.open_connection("127.0.0.1", port, limit=1_024) for _ in range(CONNECTIONS_MAX)
        ]
        for reader, writer in greedy:
            writer.write(b"GET /large HTTP/1.1\r\n\r\n")
            await reader.readexactly(100)  # it is being answered, and does not read on
        assert await ask(port, b"GET /hello HTTP/1.1\r\n\r\n") == b""
        for _, writer in greedy:
            writer.close()
        said = b""
        while not said:
            said = await ask(port, b"GET /hello HTTP/1.1\r\n\r\n")
        assert said.endswith(b"hello\n")

    run(scene)


def test_a_second_request_on_the_connection_is_not_answered() -> None:
    said = answers(b"GET /hello HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n")
    assert said.count(b"HTTP/1.1") == 1


def test_a_name_of_this_host_is_not_asked_for_where_others_reach_it() -> None:
    responder = Responder({"/hello": hello})  # of no loopback address
    assert responder.validate(b"GET /hello HTTP/1.1\r\nHost: tq-master:5002") == "/hello"


@pytest.mark.parametrize(
    ("path", "accept", "body"),
    [
        ("/hello", "text/html", "hello"),
        ("/hello", "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5", "open"),
        ("/hello", "text/plain, Application/OpenMetrics-Text", "open"),
        ("/other", "application/openmetrics-text", "hello"),
        ("/hello" + OPENMETRICS, "text/html", "400"),
        ("/none", "text/html", "404 Not Found: there are /hello, /other"),
    ],
)
def test_who_accepts_openmetrics_gets_the_page_in_it_where_there_is_one(
    path: str, accept: str, body: str
) -> None:
    async def as_open() -> Page:
        return Page("open\n")

    responder = Responder({"/hello": hello, "/other": hello, "/hello" + OPENMETRICS: as_open})
    asked = responder.validate(f"GET {path} HTTP/1.1\r\nX: y\r\nAccept: {accept}".encode())
    page = asked if isinstance(asked, Page) else asyncio.run(responder.page(asked))
    assert page.body.startswith(body)
