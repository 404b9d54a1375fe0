"""URLs and headers that a task may ask for, and where a redirect may lead."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.tasks.http.ends import Refused
from tq.tasks.http.target import checked_headers, headers_for, redirected, target
from yarl import URL

BAD_URLS = [
    *("", "example.org", "//example.org", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org:70/_x"),
    *("javascript:alert(1)", "data:,x", "HTTP:example.org", "http:///path", "http://", "http://:80/"),
    *("http://user@example.org/", "http://user:pass@example.org/", "http://@example.org/", "http://:@example.org/"),
    *("http://example.org:0/", "http://example.org:22/", "http://example.org:25/", "http://example.org:6667/"),
    *("http://example.org:65536/", "http://example.org:-1/", "http://example.org:x/"),
    *("http://example.org/\r\nX: y", "http://example.org/ HTTP/1.1\r\nHost: x", "http://example.org\n.evil.org/"),
    *("http://example.org/\x00", " http://example.org/", "http://example.org/ ", "http://ex ample.org/", "http://example.org/\ud800"),
    *("http://example.org\\@evil.org/", "http:\\\\example.org/", "http://example.org/\x7f", "http://example.org/\u2028"),
    *("http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.0.0.1./", "http://1.2.3/"),
    *("http://256.1.1.1/", "http://[fe80::1%25eth0]/", "http://[::1/", "http://exa%mple.org/", "http://a%2eb/", "http://-a.org/"),
    *("http://a..org/", f"http://{'a' * 64}.org/", f"http://{'a.' * 130}org/", "http://example.org/" + "a" * 8_000),
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_URLS)
def test_what_is_no_plain_url_of_the_web_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        target(text)


@pytest.mark.parametrize("value", [None, 1, b"http://example.org/", ["http://example.org/"]])
def test_a_url_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(Refused, match="a URL is text"):
        target(value)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("http://example.org", "http://example.org"),
        ("https://EXAMPLE.org:8443/a?b=c#d", "https://example.org:8443/a?b=c"),
        ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("http://example.org/%0d%0aX:%20y", "http://example.org/%0D%0AX:%20y"),
    ],
)
def test_a_url_is_sent_as_the_library_reads_it(text: str, sent: str) -> None:
    assert str(target(text)) == sent


@given(st.text(max_size=40))
def test_no_text_makes_the_judge_fail_or_leaves_a_line_break(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.org/{text}", f"http://example.org:{text}/"):
        try:
            found = target(url)
        except Refused:
            continue
        assert found.scheme in ("http", "https")
        assert found.raw_host
        assert found.raw_user is None
        assert str(found).isascii()
        assert not set(str(found)) & set("\r\n\t \0")


HERE = URL("https://example.org/a/b?c")


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("/x", "https://example.org/x"),
        ("x y", "https://example.org/a/x%20y"),
        ("//other.org/", "https://other.org/"),
        ("http://other.org:8080/x#y", "http://other.org:8080/x"),
        ("?d", "https://example.org/a/b?d"),
    ],
)
def test_a_redirect_leads_where_a_browser_would_go(location: str, where: str) -> None:
    assert str(redirected(HERE, location)) == where


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://x/",
        "http://user:secret@other.org/",
        "http://other.org:25/",
        "http://127.1/",
        "a\r\nb",
        "/\udcff",
        "/" * 9_000,
    ],
)
def test_a_redirect_is_judged_as_what_a_task_asks_for(location: str) -> None:
    with pytest.raises(Refused) as raised:
        redirected(HERE, location)
    assert "secret" not in str(raised.value)


BAD_HEADERS: list[Any] = [
    {"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X": "a\0"}, {"X": "ä"}, {"X": 1}, {"X": b"y"}, {"X\r\nY": "b"}, {"X:": "b"}, {"": "b"},
    {"X Y": "b"}, {1: "b"}, {"Host": "other.org"}, {"content-length": "5"}, {"Transfer-Encoding": "chunked"}, {"Connection": "close"},
    {"Upgrade": "websocket"}, {"Proxy-Authorization": "x"}, {"Accept-Encoding": "br"}, {"X": "a" * 8_001},
    {f"X-{number}": "y" for number in range(33)}, ["X"], "X: y",
]  # fmt: skip


@pytest.mark.parametrize("headers", BAD_HEADERS)
def test_headers_that_could_be_more_than_one_or_that_steer_the_connection_are_refused(headers: Any) -> None:
    with pytest.raises(Refused):
        checked_headers(headers)


def test_credentials_stay_within_the_origin() -> None:
    headers = checked_headers(
        {
            "Authorization": "Bearer x",
            "Cookie": "a=b",
            "X-Api-Key": "c",
            "Accept": "text/html",
            "User-Agent": "u",
        }
    )
    assert headers_for(URL("https://example.org/other"), HERE, headers) == headers
    for other in (
        "http://example.org/",
        "https://example.org:8443/",
        "https://www.example.org/",
        "https://other.org/",
    ):
        assert headers_for(URL(other), HERE, headers) == {"accept": "text/html", "user-agent": "u"}
