"""tq.tasks.mail against a real SMTP server on loopback: what arrives, and what each answer leads to."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import tq
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from tq.tasks import mail
from tq.tasks.mail import Mailer, SmtpSettings, compose, send

from .certificate import make_certificate

ANNE, BOB = "anne@tq.example", "bob@tq.example"
SECONDS = 10.0


@dataclass
class Delivery:
    sender: str
    to: list[str]
    message: EmailMessage


class Server:
    """A listening server, what it was sent, and what it is to answer. It runs on a loop in its own thread."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, silent: bool = False, **options: Any) -> None:
        self.answers: dict[str, list[str]] = {}  # by command, used up one by one
        self.deliveries: list[Delivery] = []
        self.logins: list[tuple[str, str]] = []
        self.password = "right"
        self.commands: list[str] = []
        self.sessions: list[Session] = []
        self._options = {"authenticator": self.authenticate, **options}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        protocol = asyncio.Protocol if silent else lambda: Session(self, loop=self._loop, **self._options)
        self._listener = self.run(lambda: self._loop.create_server(protocol, "127.0.0.1", 0, ssl=tls))
        self.port: int = self._listener.sockets[0].getsockname()[1]

    def run(self, function: Callable[[], Any]) -> Any:
        """Do something on the server's loop."""

        async def call() -> Any:
            value = function()
            return await value if asyncio.iscoroutine(value) else value

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(SECONDS)

    def drop_connections(self) -> None:
        """As a server does that is restarted: no word of goodbye."""

        def abort() -> None:
            for one in self.sessions:
                if isinstance(one.transport, asyncio.WriteTransport):
                    one.transport.abort()

        self.run(abort)

    def close(self) -> None:
        self.run(self._listener.close)
        self.drop_connections()
        self.run(self._end_tasks)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()

    async def _end_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # aiosmtpd's handler

    def _next(self, command: str, default: str) -> str:
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else default

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._next("MAIL", "250 sender ok")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self._next("RCPT", "250 recipient ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self._next("DATA", "250 2.0.0 taken")
        if answer.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.deliveries.append(Delivery(envelope.mail_from, envelope.rcpt_tos, message))
        return answer

    def authenticate(
        self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password.decode() == self.password, handled=False)


class Session(SMTP):
    """One connection to the server."""

    def __init__(self, server: Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._server.sessions:  # made a second time by STARTTLS
            self._server.sessions.append(self)
        super().connection_made(transport)

    async def smtp_NOOP(self, arg: str) -> None:  # noqa: N802
        self._server.commands.append("NOOP")
        await super().smtp_NOOP(arg)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802
        self._server.commands.append("RSET")
        await super().smtp_RSET(arg)


@pytest.fixture
def make_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """``make_server(…)``: a started server that the mail task of this process is configured for."""
    monkeypatch.setattr(mail, "_kept", None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("TQ_SMTP_URL", "TQ_SMTP_PASSWORD_FILE", "TQ_SMTP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    made: list[Server] = []

    def make(scheme: str = "smtp", login: str = "", **options: Any) -> Server:
        server = Server(**options)
        made.append(server)
        monkeypatch.setenv("TQ_SMTP_URL", f"{scheme}://{login}127.0.0.1:{server.port}")
        return server

    yield make
    if mail._kept is not None:
        mail._kept.close()
    for server in made:
        server.close()


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


def context(certificate: Path) -> ssl.SSLContext:
    """What the server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def body(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


# what arrives


def test_a_message_arrives_with_its_headers_and_text(server: Server) -> None:
    result = send(f"Anne <{ANNE}>", "Grüße, Anne", "Liebe Anne,\n\nbis bald.\n", f"Bob <{BOB}>")
    [delivery] = server.deliveries
    message = delivery.message
    assert (delivery.sender, delivery.to) == (BOB, [ANNE])
    assert (message["To"], message["From"], message["Subject"]) == (
        f"Anne <{ANNE}>",
        f"Bob <{BOB}>",
        "Grüße, Anne",
    )
    assert body(message) == "Liebe Anne,\n\nbis bald.\n"
    assert message["Date"].datetime.tzinfo is not None
    assert message["Message-ID"] == result["message_id"]
    assert (result["to"], result["reply"], result["attempt"]) == (f"Anne <{ANNE}>", "250 2.0.0 taken", 1)
    assert abs(result["when"] - time.time()) < 60


def test_html_headers_and_attachments_travel_along(server: Server) -> None:
    send(
        ANNE,
        "Bill",
        "see below",
        BOB,
        html="<p>see below</p>",
        headers={"Reply-To": "office@tq.example", "X-Campaign": "7"},
        attachments={"bill.pdf": b"%PDF\x00\xff"},
    )
    [delivery] = server.deliveries
    message = delivery.message
    assert (message["Reply-To"], message["X-Campaign"]) == ("office@tq.example", "7")
    assert body(message) == "see below\n"
    assert body(message, "html") == "<p>see below</p>\n"
    [attachment] = message.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("bill.pdf", b"%PDF\x00\xff")


def test_a_line_with_a_single_dot_ends_nothing(server: Server) -> None:
    send(ANNE, "Dots", "one\n.\n..\nlast\n", BOB)
    assert body(server.deliveries[0].message) == "one\n.\n..\nlast\n"


def test_every_attempt_of_a_task_bears_the_same_message_id() -> None:
    first, second = (mail.default_message_id(f"Bob <{BOB}>", "0190-task") for _ in range(2))
    assert first == second == "<tq.0190-task@tq.example>"
    assert mail.default_message_id(BOB, "0191-task") != first


def test_a_message_id_may_be_given(server: Server) -> None:
    result = send(ANNE, "Hello", "text", BOB, message_id="<own@tq.example>")
    assert result["message_id"] == server.deliveries[0].message["Message-ID"] == "<own@tq.example>"


# what is refused before any server is asked


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("where", ["to", "sender", "subject", "header", "header name", "message_id"])
def test_a_line_break_in_a_header_is_given_up_and_nothing_is_sent(
    server: Server, where: str, end: str
) -> None:
    bad = f"x{end}Bcc: victim@tq.example"
    given: dict[str, Any] = {"to": ANNE, "subject": "Hello", "text": "text", "sender": BOB}
    match where:
        case "to" | "sender":
            given[where] = f"{bad} <{ANNE}>"
        case "header":
            given["headers"] = {"X-Note": bad}
        case "header name":
            given["headers"] = {f"X-Note: 1{end}Bcc": "victim@tq.example"}
        case _:
            given[where] = bad
    with pytest.raises(tq.Discard):
        send(**given)
    assert server.sessions == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anne",
        "@tq.example",
        "anne@",
        "Anne <>",
        "a@b, c@d",
        "a <a@b>, c <c@d>",
        "a@b@c d",
        "änne@b",
        "a@ü",
    ],
)
def test_a_bad_address_is_given_up_and_nothing_is_sent(server: Server, address: str) -> None:
    with pytest.raises(tq.Discard, match=r"not a mail address|cannot be sent"):
        send(address, "Hello", "text", BOB)
    with pytest.raises(tq.Discard, match=r"not a mail address|cannot be sent"):
        send(ANNE, "Hello", "text", address)
    assert server.sessions == []


@pytest.mark.parametrize("name", ["", "X Y", "X:", "Ü", "X\t"])
def test_a_header_without_a_proper_name_is_given_up(server: Server, name: str) -> None:
    with pytest.raises(tq.Discard, match="no name of a header"):
        send(ANNE, "Hello", "text", BOB, headers={name: "value"})
    assert server.sessions == []


# what the server says decides


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_4xx_is_tried_again(server: Server, command: str) -> None:
    server.answers[command] = ["451 4.3.0 busy"]
    with pytest.raises(tq.Retry, match=r"said 451 4\.3\.0 busy to anne@tq\.example"):
        send(ANNE, "Hello", "text", BOB)
    assert send(ANNE, "Hello", "text", BOB)["reply"] == "250 2.0.0 taken"
    assert len(server.deliveries) == 1
    assert len(server.sessions) == 1  # the refusal was no reason to connect again


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_5xx_is_given_up_with_the_servers_words(server: Server, command: str) -> None:
    server.answers[command] = ["550 5.1.1 no such user"]
    with pytest.raises(tq.Discard, match=r"said 550 5\.1\.1 no such user to anne@tq\.example"):
        send(ANNE, "Hello", "text", BOB)
    assert server.deliveries == []
    assert "RSET" in server.commands


def test_after_a_refusal_the_next_message_has_only_its_own_recipient(server: Server) -> None:
    server.answers["DATA"] = ["452 4.2.2 mailbox full"]
    with pytest.raises(tq.Retry):
        send(ANNE, "First", "text", BOB)
    send("carl@tq.example", "Second", "text", BOB)
    assert [delivery.to for delivery in server.deliveries] == [["carl@tq.example"]]


def test_a_421_closes_the_connection(server: Server) -> None:
    server.answers["RCPT"] = ["421 4.7.0 too many of you"]
    with pytest.raises(tq.Retry, match="421"):
        send(ANNE, "Hello", "text", BOB)
    send(ANNE, "Hello", "text", BOB)
    assert len(server.sessions) == 2


def test_a_message_too_large_for_the_server_is_given_up(make_server: Callable[..., Server]) -> None:
    server = make_server(data_size_limit=10_000)
    with pytest.raises(tq.Discard, match="552"):
        send(ANNE, "Hello", "long line\n" * 5_000, BOB)
    assert server.deliveries == []


# the connection


def test_messages_share_a_connection(server: Server) -> None:
    for _ in range(5):
        send(ANNE, "Hello", "text", BOB)
    assert len(server.deliveries) == 5
    assert len(server.sessions) == 1


def test_a_dropped_connection_is_tried_again_on_a_new_one(server: Server) -> None:
    send(ANNE, "Hello", "text", BOB)
    server.drop_connections()
    with pytest.raises(tq.Retry, match=rf"127\.0\.0\.1:{server.port}: "):
        send(ANNE, "Hello", "text", BOB)
    send(ANNE, "Hello", "text", BOB)
    assert len(server.deliveries) == 2
    assert len(server.sessions) == 2


def test_an_idle_connection_is_asked_before_it_is_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "IDLE_SECONDS_MAX", 0.0)
    for _ in range(2):
        send(ANNE, "Hello", "text", BOB)
    assert server.commands.count("NOOP") == 1
    assert len(server.sessions) == 1
    server.drop_connections()
    send(ANNE, "Hello", "text", BOB)  # no error: it was found out first
    assert len(server.sessions) == 2
    assert len(server.deliveries) == 3


def test_a_connection_carries_a_bounded_number_of_messages(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "MESSAGES_PER_CONNECTION_MAX", 2)
    for _ in range(5):
        send(ANNE, "Hello", "text", BOB)
    assert len(server.sessions) == 3
    assert len(server.deliveries) == 5


def test_no_server_is_tried_again_and_names_the_address(server: Server) -> None:
    server.run(server._listener.close)
    with pytest.raises(tq.Retry, match=rf"127\.0\.0\.1:{server.port}: .*refused"):
        send(ANNE, "Hello", "text", BOB)


def test_a_server_that_says_nothing_is_given_up_in_time(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_server(silent=True)
    monkeypatch.setenv("TQ_SMTP_TIMEOUT", "0.1")
    with pytest.raises(tq.Retry, match="timed out"):
        send(ANNE, "Hello", "text", BOB)


# login and TLS


def test_a_login_uses_the_user_of_the_url_and_the_password_of_the_file(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = make_server(login="news%40tq.example@", auth_require_tls=False)
    (tmp_path / "password").write_text("right\n")
    monkeypatch.setenv("TQ_SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    send(ANNE, "Hello", "text", BOB)
    assert server.logins == [("news@tq.example", "right")]
    assert len(server.deliveries) == 1


def test_a_refused_login_puts_all_messages_off_and_keeps_the_password_secret(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(login="news:wrong%3Aword@", auth_require_tls=False)
    for _ in range(20):
        with pytest.raises(tq.Snooze, match="refused the login of news") as caught:
            send(ANNE, "Hello", "text", BOB)
        assert 50 < caught.value.seconds < 70
        assert "wrong" not in str(caught.value)
    assert len(server.logins) <= 4, "one login, by each of the mechanisms that the server has"
    assert ("news", "wrong:word") in server.logins
    assert server.deliveries == []


def test_a_corrected_password_sends_at_once(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = make_server(login="news@", auth_require_tls=False)
    monkeypatch.setenv("TQ_SMTP_PASSWORD_FILE", str(tmp_path / "password"))
    (tmp_path / "password").write_text("wrong")
    with pytest.raises(tq.Snooze):
        send(ANNE, "Hello", "text", BOB)
    (tmp_path / "password").write_text("right")
    send(ANNE, "Hello", "text", BOB)
    assert len(server.deliveries) == 1


def test_starttls_encrypts_before_the_login(
    make_server: Callable[..., Server], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = make_server(
        "smtp+starttls", "news:right@", tls_context=context(certificate), require_starttls=True
    )
    send(ANNE, "Hello", "text", BOB)
    assert server.logins == [("news", "right")]
    assert len(server.deliveries) == 1


def test_smtps_is_encrypted_from_the_first_byte(
    make_server: Callable[..., Server], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = make_server("smtps", tls=context(certificate))
    send(ANNE, "Hello", "text", BOB)
    assert len(server.deliveries) == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_certificate_that_no_ca_vouches_for_is_not_trusted(
    make_server: Callable[..., Server], certificate: Path, scheme: str
) -> None:
    options = {"tls" if scheme == "smtps" else "tls_context": context(certificate)}
    server = make_server(scheme, "news:right@", **options)
    with pytest.raises(tq.Retry, match="CERTIFICATE_VERIFY_FAILED"):
        send(ANNE, "Hello", "text", BOB)
    assert (server.logins, server.deliveries) == ([], [])


def test_starttls_that_the_server_does_not_offer_sends_nothing_in_the_clear(
    make_server: Callable[..., Server],
) -> None:
    server = make_server("smtp+starttls", "news:right@", auth_require_tls=False)
    with pytest.raises(tq.Retry, match="STARTTLS"):
        send(ANNE, "Hello", "text", BOB)
    assert (server.logins, server.deliveries) == ([], [])


# settings


def test_without_settings_mail_goes_to_this_host() -> None:
    settings = SmtpSettings.from_environment({})
    assert (settings.scheme, settings.host, settings.port) == ("smtp", "127.0.0.1", 25)
    assert (settings.user, settings.password, settings.timeout_seconds) == (None, None, 30.0)


@pytest.mark.parametrize(("scheme", "port"), [("smtp", 25), ("smtp+starttls", 587), ("smtps", 465)])
def test_each_scheme_has_its_port(scheme: str, port: int) -> None:
    assert SmtpSettings.from_environment({"TQ_SMTP_URL": f"{scheme}://host"}).port == port
    assert SmtpSettings.from_environment({"TQ_SMTP_URL": f"{scheme}://host:26"}).port == 26


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TQ_SMTP_URL": "smtp.example.org"}, r"TQ_SMTP_URL must be one of smtp://host"),
        ({"TQ_SMTP_URL": "http://host"}, r"TQ_SMTP_URL must be one of smtp://host"),
        ({"TQ_SMTP_URL": "smtp://"}, r"TQ_SMTP_URL must be one of smtp://host"),
        ({"TQ_SMTP_URL": ""}, r"TQ_SMTP_URL must be one of smtp://host"),
        ({"TQ_SMTP_URL": "smtp://host:port"}, r"TQ_SMTP_URL"),
        ({"TQ_SMTP_URL": "smtp://host:70000"}, r"TQ_SMTP_URL"),
        ({"TQ_SMTP_URL": "smtp://[::1"}, r"TQ_SMTP_URL"),
        ({"TQ_SMTP_TIMEOUT": "soon"}, r"TQ_SMTP_TIMEOUT"),
        ({"TQ_SMTP_TIMEOUT": "0"}, r"TQ_SMTP_TIMEOUT"),
        ({"TQ_SMTP_TIMEOUT": "nan"}, r"TQ_SMTP_TIMEOUT"),
        ({"TQ_SMTP_TIMEOUT": "-1"}, r"TQ_SMTP_TIMEOUT"),
        ({"TQ_SMTP_PASSWORD_FILE": "/nowhere/password"}, r"TQ_SMTP_PASSWORD_FILE: .*No such file"),
        ({"TQ_SMTP_PASSWORD_FILE": "/"}, r"TQ_SMTP_PASSWORD_FILE: .*directory"),
    ],
)
def test_a_wrong_setting_is_reported_with_its_name(environment: dict[str, str], words: str) -> None:
    with pytest.raises(tq.ConfigError, match=words):
        SmtpSettings.from_environment(environment)


def test_the_password_is_in_no_repr() -> None:
    settings = SmtpSettings.from_environment({"TQ_SMTP_URL": "smtps://anne:secret@host"})
    assert settings.password == "secret"
    assert "secret" not in repr(settings)
    assert "secret" not in repr(Mailer(settings))


def test_a_wrong_setting_is_what_the_task_raises(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQ_SMTP_URL", "nonsense")
    with pytest.raises(tq.ConfigError, match="TQ_SMTP_URL"):
        send(ANNE, "Hello", "text", BOB)


# a task that names its server


def test_a_worker_without_a_server_of_its_own_follows_the_task(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TQ_SMTP_URL")
    send(ANNE, "Hello", "text", BOB, server=f"smtp://127.0.0.1:{server.port}")
    assert len(server.deliveries) == 1


def test_a_worker_with_a_server_sends_through_no_other(server: Server) -> None:
    with pytest.raises(
        tq.ConfigError, match=r"meant for smtp://127\.0\.0\.1:1, and this worker sends through"
    ):
        send(ANNE, "Hello", "text", BOB, server="smtp://127.0.0.1:1")
    send(ANNE, "Hello", "text", BOB, server=f"smtp://127.0.0.1:{server.port}")
    assert len(server.deliveries) == 1


@pytest.mark.parametrize(
    ("own", "wanted", "words"),
    [
        (None, "smtps://news@host", "logs in only where its own TQ_SMTP_URL says"),
        (None, "smtps://news:word@host", "a task carries no password"),
        ("smtps://news@host", "smtps://other@host", "sends through smtps://host:465"),
        ("smtps://news@host", "smtp+starttls://news@host", "sends through smtps://host:465"),
        ("smtps://news@host", "smtps://news:word@host", "a task carries no password"),
        ("smtp://news@host", None, "would show the password to the network"),
    ],
)
def test_a_password_goes_nowhere_but_where_the_worker_says(
    own: str | None, wanted: str | None, words: str, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("right\n")
    environment = {"TQ_SMTP_PASSWORD_FILE": str(tmp_path / "password")}
    if own is not None:
        environment["TQ_SMTP_URL"] = own
    with pytest.raises(tq.ConfigError, match=words) as caught:
        SmtpSettings.from_environment(environment, wanted)
    assert "word@" not in str(caught.value)


def test_an_attachment_is_of_the_type_its_name_says() -> None:
    names = ("bill.pdf", "logo.png", "notes.txt", "more.tar.gz", "unknown")
    message = compose(
        ANNE,
        "Hello",
        "text",
        sender=BOB,
        message_id="<1@tq.example>",
        attachments=dict.fromkeys(names, b"\r\n"),
    )
    kinds = [part.get_content_type() for part in message.iter_attachments()]
    assert kinds == ["application/pdf", "image/png", *["application/octet-stream"] * 3]


def test_composing_needs_no_server() -> None:
    message = compose(ANNE, "Hello", "text", sender=BOB, message_id="<1@tq.example>")
    assert b"\nBcc" not in message.as_bytes(policy=policy.SMTP)
    assert message["Message-ID"] == "<1@tq.example>"
