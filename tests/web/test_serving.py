"""The server of the page, on a real socket: connections that say nothing, or little, do not stay."""

from __future__ import annotations

import asyncio
import time

import pytest
from tq.web import forms, serving
from tq.web.settings import page_settings
from tq.web.site import Site

HEAD = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


async def said_to(port: int, given: bytes) -> bytes:
    """What is answered until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(given)
    try:
        return await reader.read()
    finally:
        writer.close()


async def answers(*given: bytes) -> list[bytes]:
    settings = page_settings(bind="127.0.0.1:0", master="127.0.0.1:1")
    with serving.listen(settings) as bound:
        server = serving.server(settings, Site(settings))
        running = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            port = bound.getsockname()[1]
            async with asyncio.timeout(20):
                return await asyncio.gather(*(said_to(port, one) for one in given))
        finally:
            server.should_exit = True
            await running


def test_a_connection_without_a_whole_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(serving, "IDLE_SECONDS", 1)
    whole = b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"
    silent, begun, once = asyncio.run(answers(b"", whole[:20], whole + whole[:20]))
    assert silent == begun == b""
    assert once.startswith(b"HTTP/1.1 200")


def test_a_form_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE_SECONDS", 1)
    monkeypatch.setattr(forms, "BODY_SECONDS", 0.2)
    before = time.monotonic()
    [answer] = asyncio.run(answers(HEAD + b"key="))
    assert answer.startswith(b"HTTP/1.1 400")
    assert time.monotonic() - before < 15
