"""Runs the page: its port, its server, what it prints when it listens."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..common.errors import ConfigError
from .settings import PageSettings
from .site import Site

BACKLOG: Final = 128
HEAD_SECONDS: Final = 10  # until the first request of a connection has come
IDLE_SECONDS: Final = 75  # of a connection without a request
CONNECTIONS_MAX: Final = 1_000  # open at once; more are answered with 503
SHUTDOWN_SECONDS: Final = 3  # for answers under way; streams end at once


class PageConnection(H11Protocol):
    """Closes a connection whose next request does not come in time, whole or in pieces: otherwise a thousand that say nothing would keep
    everyone out."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look, None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self, before: object) -> None:
        """``before``: the request that was the last one at the look before."""
        last = self.cycle
        if last is before and (last is None or last.response_complete):
            self.transport.close()
        else:
            self._timer = self.loop.call_later(IDLE_SECONDS, self._look, last)


class PageServer(uvicorn.Server):
    """Ends its streams first, which would otherwise be waited for."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._site.closing.set()
        super().handle_exit(sig, frame)


def listen(settings: PageSettings) -> socket.socket:
    """The socket of the page. Raises ConfigError that says what to do."""
    host, port = settings.bind
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(host)))
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host or 'this machine'} is taken, perhaps by a `tq web` that runs already; choose another one: "
                f"--bind {host}:{port + 1}"
            ) from None
        raise ConfigError(f"cannot listen at {settings.bind}: {error.strerror or error}") from None
    made.setblocking(False)
    return made


def check_certificate(settings: PageSettings) -> None:
    """Raises ConfigError for a certificate or a key that the server could not use, before anything says that the page is there."""
    if settings.certificate is None or settings.key is None:
        return
    for option, path in (("--tls-cert", settings.certificate), ("--tls-key", settings.key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigError(f"{option}: cannot read {path}: {error.strerror or error}") from None

    def refuse_password() -> str:
        raise ConfigError(
            f"the key in {settings.key} has a password, which has to be typed at each start; give one without: "
            f"openssl pkey -in {settings.key} -out page.key"
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.certificate, settings.key, refuse_password
        )
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"the key in {settings.key} is not that of the first certificate in {settings.certificate}; the chain begins with "
                "the page's own certificate"
            ) from None
        raise ConfigError(
            f"{settings.certificate} and {settings.key} must be a certificate chain and its key, in PEM: text that begins with "
            "-----BEGIN"
        ) from None


def server(settings: PageSettings, site: Site, **options: Any) -> PageServer:
    """A server that has nothing of its own on disk, in its log or in its headers."""
    return PageServer(
        uvicorn.Config(
            site.app,
            access_log=False,
            log_config=None,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            http=PageConnection,
            lifespan="on",
            ws="none",
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            **options,
        ),
        site,
    )


def serve(settings: PageSettings, authkey: str | None, say: Callable[[str, str | None], None]) -> None:
    """Until a signal. ``authkey``: that of a one-time link, if one is wanted; ``say``: gets the address and that link."""
    check_certificate(settings)
    site = Site(settings)
    with listen(settings) as bound:
        url = settings.url(bound.getsockname()[1])
        say(url, None if authkey is None else f"{url}/open#{site.logins.link_for(authkey)}")
        server(settings, site).run(sockets=[bound])
