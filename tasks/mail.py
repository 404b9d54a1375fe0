"""Sending mail: one task a message. ``tq-worker --connect … tq.tasks.mail``

Where to send it is the worker's own configuration, never part of a task::

    TQ_SMTP_URL            smtp://host:25 · smtp+starttls://user@host:587 · smtps://user@host:465
    TQ_SMTP_PASSWORD_FILE  a file with the password of that user
    TQ_SMTP_TIMEOUT        seconds for each step of the conversation  [30]

A task may name the server it is meant for. A worker with a TQ_SMTP_URL sends only through that server: a client that
submits tasks can neither have the password sent to another server nor reach hosts in the worker's network. A worker
without TQ_SMTP_URL uses the task's server, and logs in nowhere.

The server's reply decides: 2xx means delivered; after 4xx, or without a connection, the message is tried again later; 5xx
ends it for good, with the server's own words. A login that is refused puts all messages off, without costing them a retry, and
is tried again after a minute, then after pauses that double. The Message-ID is computed from the task's id, so a message that was sent
twice (the worker died after sending and before its report) can be recognised.
"""

from __future__ import annotations

import ipaddress
import math
import os
import random
import smtplib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import tq

from .login_breaker import LoginBreaker, LoginPaused
from .message import compose, finished

DEFAULT_URL: Final = "smtp://127.0.0.1:25"
PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
# Servers close idle connections; after this time check the connection before use
IDLE_SECONDS_MAX: Final = 20.0
MESSAGES_PER_CONNECTION_MAX: Final = 500  # some servers limit the messages of one connection
KEPT_BYTES_MAX: Final = 64 * 1024 * 1024  # of attachments, in each process that sends

app = tq.App()


@app.task(queue="mail", retries=8, backoff=15, backoff_max=3600, timeout=300)
def send(
    to: str,
    subject: str,
    text: str,
    sender: str,
    *,
    html: str | None = None,
    headers: Mapping[str, str] | None = None,
    attachments: Mapping[str, bytes | tq.Blob] | None = None,
    message_id: str | None = None,
    server: str | None = None,
) -> dict[str, Any]:
    """Send one message to one address, over the worker's SMTP server.

    Args:
        to: Address of the recipient, or ``Name <address>``.
        subject: The subject, in any language.
        text: The message as plain text.
        sender: Address of the sender, or ``Name <address>``.
        html: The same message as HTML; by default there is none.
        headers: Further headers: ``Reply-To``, ``List-Id``, ``List-Unsubscribe``, ``Precedence``, ``Auto-Submitted`` and ``X-…``.
        attachments: File names and their bytes, large ones as ``tq.Blob``.
        message_id: By default one that is computed of the task's id, so that a repetition has the same.
        server: The server that it is meant for, as TQ_SMTP_URL but without a password; a worker with another server refuses it.

    Returns:
        ``{"message_id": …, "to": …, "reply": …, "attempt": …, "when": …}``: what the server replied when it took it, at that
        Unix time.

    Raises:
        Retry: The server put it off, or cannot be reached.
        Discard: The server, or the address, refuses it for good.
    """
    running = tq.current()  # None in a plain call
    message_id = message_id or default_message_id(sender, running.id if running else None)
    message = compose(
        to,
        subject,
        text,
        sender=sender,
        html=html,
        headers=headers,
        attachments={name: _content(data) for name, data in (attachments or {}).items()},
        message_id=message_id,
    )
    attempt = running.attempt if running else 1
    content = finished(message)
    reply = _mailer(server).send(parseaddr(sender)[1], parseaddr(to)[1], content, attempt)
    return {"message_id": message_id, "to": to, "reply": reply, "attempt": attempt, "when": time.time()}


def default_message_id(sender: str, task_id: str | None) -> str:
    """A unique id of the task's message, the same for all attempts."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<tq.{task_id or os.urandom(16).hex()}@{domain}>"


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpSettings:
    """The SMTP server and login. The password is left out of the repr."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None
    timeout_seconds: float

    def __repr__(self) -> str:
        return f"SmtpSettings({self.shown_url})"

    @property
    def shown_url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], wanted: str | None = None) -> SmtpSettings:
        """The worker's own settings; ``wanted``: the server that a task names. Raises tq.ConfigError with the reason."""
        own = environment.get("TQ_SMTP_URL")
        asked = None if wanted is None else cls.parse(wanted, "server")
        if asked is not None and asked.password is not None:
            raise tq.ConfigError("server: a task carries no password; it belongs into TQ_SMTP_PASSWORD_FILE")
        if own is None:
            settings = asked or cls.parse(DEFAULT_URL, "TQ_SMTP_URL")
            if settings.user is not None:
                raise tq.ConfigError(
                    f"a worker logs in only where its own TQ_SMTP_URL says: start it with TQ_SMTP_URL={wanted} "
                    "and TQ_SMTP_PASSWORD_FILE"
                )
        else:
            settings = cls.parse(own, "TQ_SMTP_URL")
            asked = asked or settings
            if asked.shown_url != settings.shown_url or asked.user not in (None, settings.user):
                raise tq.ConfigError(
                    f"the message is meant for {wanted}, and this worker sends through {settings.shown_url} "
                    f"(its TQ_SMTP_URL); name that one, or start a worker with TQ_SMTP_URL={wanted}"
                )
        password = settings.password
        file = environment.get("TQ_SMTP_PASSWORD_FILE")
        if file:
            try:
                password = Path(file).read_text("utf-8").strip()
            except OSError as error:
                raise tq.ConfigError(f"TQ_SMTP_PASSWORD_FILE: {error}") from error
        timeout = _timeout_seconds(environment.get("TQ_SMTP_TIMEOUT", "30"))
        return replace(settings, password=password, timeout_seconds=timeout)

    @classmethod
    def parse(cls, text: str, name: str) -> SmtpSettings:
        """Settings from a URL; ``name``: its name in errors. No error shows a password."""
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError as error:
            raise tq.ConfigError(f"{name}: {error}") from error
        if url.scheme not in PORTS or not url.hostname:
            raise tq.ConfigError(f"{name} must be one of {', '.join(f'{s}://host' for s in PORTS)}")
        if url.username and url.scheme == "smtp" and not _is_loopback(url.hostname):
            raise tq.ConfigError(
                f"{name}: a login over smtp:// would show the password to the network; write "
                f"smtp+starttls://…@{url.hostname} or smtps://…@{url.hostname}"
            )
        return cls(
            scheme=url.scheme,
            host=url.hostname,
            port=port or PORTS[url.scheme],
            user=unquote(url.username) if url.username else None,
            password=unquote(url.password) if url.password else None,
            timeout_seconds=0.0,
        )


def _timeout_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise tq.ConfigError(f"TQ_SMTP_TIMEOUT: {error}") from error
    if not (math.isfinite(seconds) and seconds > 0):
        raise tq.ConfigError(f"TQ_SMTP_TIMEOUT must be a number of seconds above 0, not {seconds:g}")
    return seconds


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Deferred(tq.Retry):
    """Not delivered now. ``tq_detail`` becomes ``TaskError.detail``: the attempt, and the server's reply if there was one."""

    def __init__(self, message: str, detail: dict[str, Any]) -> None:
        super().__init__(message)
        self.tq_detail = detail


class Bounced(tq.Discard):
    """Refused for good; ``tq_detail`` as above."""

    def __init__(self, message: str, detail: dict[str, Any]) -> None:
        super().__init__(message)
        self.tq_detail = detail


class LoginRefused(tq.Snooze):
    """The server refuses the worker's login, which is no message's fault: it waits, and loses none of its retries."""

    def __init__(self, message: str, seconds: float, detail: dict[str, Any]) -> None:
        super().__init__(seconds)
        self.args, self.tq_detail = (message,), detail


class Mailer:
    """One connection to one server, opened when needed and kept while it works."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._smtp: smtplib.SMTP | None = None
        self._used_at = 0.0
        self._messages = 0
        self._breaker = LoginBreaker(settings.shown_url, settings.user or "", settings.password or "")
        self._refusal = ""  # the server's words, if this process has them

    def send(self, sender: str, to: str, content: bytes, attempt: int = 1) -> str:
        """Send one message; returns the server's reply. Raises tq.Retry or tq.Discard, as the server decides."""
        try:
            smtp = self._connection()
            steps: tuple[tuple[Any, str | bytes], ...] = (
                (smtp.mail, sender),
                (smtp.rcpt, to),
                (smtp.data, content),
            )
            for command, argument in steps:
                code, said = command(argument)
                if code >= 400:
                    self._refused(code, said, to, attempt)
        except smtplib.SMTPDataError as error:  # DATA itself was refused, before the content
            self._refused(error.smtp_code, error.smtp_error, to, attempt)
        except smtplib.SMTPAuthenticationError as error:
            self._refusal = f": {_text(error.smtp_error)}"
            raise self._login_refused(attempt) from None
        except LoginPaused:
            raise self._login_refused(attempt) from None
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            words = f"{self._settings.host}:{self._settings.port}: {error}"
            raise Deferred(words, {"attempt": attempt}) from None
        self._used_at = time.monotonic()
        self._messages += 1
        return f"{code} {_text(said)}"

    def _login_refused(self, attempt: int) -> LoginRefused:
        """Until the next try is due. The settings are read again then: the password may be another one."""
        self.close()
        _forget()
        words = (
            f"{self._settings.host} refused the login of {self._settings.user}{self._refusal}; correct the worker's "
            "TQ_SMTP_PASSWORD_FILE. All its messages wait; the login is tried again after growing pauses"
        )
        apart = 1.0 + random.SystemRandom().random() / 10  # a thousand messages do not come back at once
        seconds = 1.0 + self._breaker.pause_left() * apart
        return LoginRefused(words, seconds, {"attempt": attempt})

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def _refused(self, code: int, said: bytes | str, to: str, attempt: int) -> None:
        text = _text(said)
        words = f"{self._settings.host} said {code} {text} to {to}"
        detail = {"smtp_code": code, "smtp_text": text, "attempt": attempt}
        if code == 421:  # it is closing the connection
            self.close()
        elif self._smtp is not None:
            try:
                self._smtp.rset()  # the next message opens a new connection
            except (OSError, smtplib.SMTPException):
                self.close()
        raise Deferred(words, detail) if code < 500 else Bounced(words, detail)

    def _connection(self) -> smtplib.SMTP:
        if self._smtp is not None and not self._is_good(self._smtp):
            self.close()
        if self._smtp is None:
            self._smtp = self._connect()
            self._messages = 0
        return self._smtp

    def _is_good(self, smtp: smtplib.SMTP) -> bool:
        if self._messages >= MESSAGES_PER_CONNECTION_MAX:
            return False
        if time.monotonic() - self._used_at < IDLE_SECONDS_MAX:
            return True
        try:
            return smtp.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host,
                settings.port,
                timeout=settings.timeout_seconds,
                context=ssl.create_default_context(),
            )
        else:
            smtp = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
        try:
            if settings.scheme == "smtp+starttls":
                smtp.starttls(context=ssl.create_default_context())
            if settings.user is not None:
                with self._breaker.guarded(smtplib.SMTPAuthenticationError):
                    smtp.login(settings.user, settings.password or "")
            smtp.ehlo_or_helo_if_needed()
        except BaseException:
            smtp.close()
            raise
        return smtp


_contents: dict[str, bytes] = {}  # of blobs, by hash: as a rule many messages have the same attachment


def _content(data: bytes | tq.Blob) -> bytes:
    if isinstance(data, bytes):
        return data
    content = _contents.get(data.hash)
    if content is None:
        content = data.read()
        if sum(map(len, _contents.values())) + len(content) > KEPT_BYTES_MAX:
            _contents.clear()
        if len(content) <= KEPT_BYTES_MAX:
            _contents[data.hash] = content
    return content


_kept: Mailer | None = None
_kept_for: str | None = None


def _mailer(server: str | None) -> Mailer:
    """This process's mailer; another one when a task names another server."""
    global _kept, _kept_for
    if _kept is None or _kept_for != server:
        settings = SmtpSettings.from_environment(os.environ, server)
        if _kept is not None:
            _kept.close()
        _kept, _kept_for = Mailer(settings), server
    return _kept


def _forget() -> None:
    """The next message gets a mailer of the settings as they are then."""
    global _kept, _kept_for
    _kept = _kept_for = None


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())
