"""``--smtp``: encrypted unless said otherwise, and never a password."""

from __future__ import annotations

import pytest
from tq.client.cli.mail.server import server_url
from tq.common.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("mx.example.org", "smtp+starttls://mx.example.org:587"),
        ("mx.example.org:25", "smtp+starttls://mx.example.org:25"),
        ("mx.example.org:465", "smtps://mx.example.org:465"),
        ("localhost", "smtp://localhost:25"),
        ("127.0.0.1:2525", "smtp://127.0.0.1:2525"),
        ("[::1]:2525", "smtp://[::1]:2525"),
        ("news@mx.example.org", "smtp+starttls://news@mx.example.org:587"),
        ("smtp://mx.example.org", "smtp://mx.example.org:25"),
        ("smtps://news%40x@mx.example.org", "smtps://news%40x@mx.example.org:465"),
    ],
)
def test_a_server_as_people_write_it(text: str, url: str) -> None:
    assert server_url(text) == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smtp://news:secret@mx.example.org", r"write --smtp smtp\+starttls://news@mx\.example\.org,"),
        ("news:secret@mx.example.org:465", r"write --smtp smtp\+starttls://news@mx\.example\.org:465,"),
        (
            "smtps://news:secret@mx.example.org",
            r"write --smtp smtps://news@mx\.example\.org, .*TQ_SMTP_PASSWORD_FILE",
        ),
        ("smtp://news:secret@host:port", "Port could not"),
        ("smtp://news@mx.example.org", "a login needs encryption"),
        ("http://mx.example.org", "'http' is unknown"),
        ("mx.example.org/path", "write host"),
        ("", "write host"),
        ("mx:70000", "out of range"),
    ],
)
def test_what_cannot_be_is_reported_without_the_password(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        server_url(text)
    assert "secret" not in str(caught.value)
