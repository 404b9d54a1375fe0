"""The page as a test uses it: the real command, and a browser's part of HTTP."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from xprocess import XProcess

from .programs import Master, Program

ANSWER_SECONDS = 20.0


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]  # names in lower case
    text: str

    @property
    def where(self) -> str:
        return self.headers.get("location", "")

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        assert found, self.text
        return found[1]


class PageProgram(Program):
    """``tq web``"""

    def __init__(self, xprocess: XProcess, home: Path, master: Master, *options: object) -> None:
        super().__init__(xprocess, "tq", home)
        self._master, self._options = master, options

    def start(self) -> None:
        words = ["web", "--bind", "127.0.0.1:0", "--url", self._master.url, *self._options]
        self.launch(words, "Ctrl-C ends it", {"TQ_AUTHKEY": self._master.authkey})

    @property
    def url(self) -> str:
        return re.findall(r"the page is at (\S+)", self.log)[-1]

    @property
    def link(self) -> str:
        return re.findall(r"logs you in: (\S+)", self.log)[-1]


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._place = (parts.hostname, parts.port)
        self.cookies: dict[str, str] = {}
        self.sent_always: dict[str, str] = {}

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self._place, timeout=ANSWER_SECONDS)

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """``x_y`` is the header ``x-y``."""
        sent = {**self.sent_always} | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection = self.connection()
        try:
            connection.request(method, path, None if form is None else urlencode(form), sent)
            response = connection.getresponse()
            text = response.read().decode()
            found = {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        if cookie := found.get("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(response.status, found, text)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        return self.ask("POST", path, form, **headers)

    def log_in(self, key: str) -> Answer:
        return self.post("/login", {"key": key, "next": "/"})

    @contextlib.contextmanager
    def events(self) -> Iterator[http.client.HTTPResponse]:
        """The open stream of this browser."""
        connection = self.connection()
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request("GET", "/events", headers={**self.sent_always, "cookie": cookie})
        with contextlib.closing(connection), contextlib.closing(connection.getresponse()) as response:
            yield response
