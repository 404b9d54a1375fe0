"""The page behind nginx and behind Caddy, with the files that ``configs/`` has: as shipped, but for ports and the place of the certificate."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from xprocess import XProcess

from .certificates import sign
from .conftest import MasterFactory
from .page_client import ANSWER_SECONDS, Browser, PageProgram
from .programs import Master, eventually, free_port

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(120)]

CONFIGS: Final = Path(__file__).parents[2] / "configs"
NAME: Final = "queue.example.org"


def certificate(home: Path) -> tuple[Path, Path]:
    signed = sign(NAME)
    chain, key = home / "page.pem", home / "page.key"
    chain.write_bytes(signed.certificate.public_bytes(serialization.Encoding.PEM))
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key.write_bytes(signed.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    return chain, key


def of_nginx(home: Path, port: int, page: int) -> list[str]:
    chain, key = certificate(home)
    text = (CONFIGS / "nginx" / "tq.conf").read_text("utf-8").partition("\nserver {\n    listen 80;")[0]
    text = re.sub(r"listen \[::\].*\n", "", text).replace(
        "listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2"
    )
    text = re.sub(r"(ssl_certificate +).*;", rf"\1{chain};", text)
    text = re.sub(r"(ssl_certificate_key +).*;", rf"\1{key};", text).replace("15672", str(page))
    temporary = "".join(
        f"{name}_temp_path {home}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"pid {home}/pid; error_log stderr; daemon off; events {{}} http {{ access_log off; {temporary}\n{text} }}"
    (home / "nginx.conf").write_text(whole, "utf-8")
    return ["nginx", "-c", str(home / "nginx.conf"), "-e", "stderr"]


def of_caddy(home: Path, port: int, page: int) -> list[str]:
    chain, key = certificate(home)
    text = (CONFIGS / "caddy" / "Caddyfile").read_text("utf-8").replace("15672", str(page))
    text = text.replace(f"\n{NAME} {{", f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {chain} {key}")
    (home / "Caddyfile").write_text(
        f"{{\n\tadmin off\n\tauto_https off\n\tgrace_period 1s\n}}\n{text}", "utf-8"
    )
    return ["caddy", "run", "--config", str(home / "Caddyfile"), "--adapter", "caddyfile"]


class Visitor(Browser):
    """Over TLS, under the name of the page."""

    def __init__(self, port: int) -> None:
        super().__init__(f"https://127.0.0.1:{port}")
        self._port = port
        self.sent_always = {"host": f"{NAME}:{port}", "origin": f"https://{NAME}:{port}"}
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    def connection(self) -> http.client.HTTPConnection:
        plain = socket.create_connection(("127.0.0.1", self._port), ANSWER_SECONDS)
        made = http.client.HTTPSConnection("127.0.0.1", self._port)
        try:
            made.sock = self._context.wrap_socket(plain, server_hostname=NAME)
        except OSError:
            plain.close()
            raise
        return made


@pytest.fixture(params=[of_nginx, of_caddy], ids=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, master_factory: MasterFactory, xprocess: XProcess, home: Path
) -> Iterator[tuple[Master, int]]:
    make: Callable[[Path, int, int], list[str]] = request.param
    program = make.__name__.removeprefix("of_")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: apt-get install {program}")
    master = master_factory()
    page = PageProgram(xprocess, home, master, "--behind-proxy", "--host", NAME)
    page.start()
    port = free_port()
    words = make(home, port, int(page.url.rpartition(":")[2]))
    with (home / "proxy.log").open("wb") as log:
        running = subprocess.Popen(
            words,
            stdout=log,
            stderr=log,
            cwd=home,
            env={"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/bin"},
        )
        try:
            eventually(lambda: _answers(port), 30)
            yield master, port
        finally:
            running.terminate()
            running.wait(20)
            page.end()


def _answers(port: int) -> bool:
    try:
        return Visitor(port).get("/login").status == 200
    except OSError:
        return False


def test_one_logs_in_and_acts_through_it_and_events_come_at_once(proxy: tuple[Master, int]) -> None:
    master, port = proxy
    visitor = Visitor(port)
    cookie = visitor.log_in(master.key("admin")).headers["set-cookie"]
    assert cookie.startswith("__Host-tq=")
    assert "Secure" in cookie
    shown = visitor.get("/queues")
    assert "max-age" in shown.headers["strict-transport-security"]
    form = {"csrf": shown.csrf, "condition": "queue=x", "back": "/limits"}
    assert visitor.post("/strikes/add", form).where == "/limits"
    assert "queue=x" in visitor.get("/limits").text
    assert visitor.post("/strikes/add", form, origin="https://evil.example.org").status == 403
    with visitor.events() as stream:
        assert any(stream.readline().startswith(b"data: ") for _ in range(5)), "the first event is not kept"


def test_tries_are_counted_by_the_address_of_the_visitor_whatever_it_says_of_itself(
    proxy: tuple[Master, int],
) -> None:
    _, port = proxy
    statuses = [
        Visitor(port).post("/login", {"key": "wrong"}, x_forwarded_for=f"10.0.0.{number}").status
        for number in range(6)
    ]
    assert statuses == [403] * 5 + [429]
