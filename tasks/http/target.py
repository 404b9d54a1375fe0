"""What may be asked for: URL and headers, judged before anything is sent and again at each redirect. Pure.

One parser reads a URL, that of the HTTP library, so what is judged here and what is requested cannot be two things. What could be
read in two ways (control characters, white space, backslashes, a user in front of the host, numbers in the place of an address)
is refused instead of being interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from yarl import URL

from .ends import Refused

URL_CHARS_MAX: Final = 8_000  # more than that few servers take in a request line
HOST_CHARS_MAX: Final = 253  # RFC 1035
HOSTS_KNOWN_MAX: Final = 4_096  # whose judgement is remembered
HEADERS_MAX: Final = 32
HEADER_CHARS_MAX: Final = 8_000  # names and values together: what few servers refuse
SCHEMES: Final = ("http", "https")
# No browser connects to these, because what listens there could take a request for commands of its own: "Port blocking" in the
# Fetch standard.
BAD_PORTS: Final = frozenset((
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
    111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540,
    548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566,
    6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
))  # fmt: skip
# The connection is the library's affair, and so is what a body may be packed with.
OWN_HEADERS: Final = frozenset((
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect",
    "accept-encoding", "proxy-authorization", "proxy-connection", "http2-settings",
))  # fmt: skip
# What goes along to another origin. Anything else may be a credential: Authorization, Cookie, X-Api-Key, …
ANYWHERE: Final = frozenset(("accept", "accept-language", "user-agent"))
_UNSAFE: Final = re.compile("[\x00-\x20\x7f-\xa0\\\\\u2028\u2029\ud800-\udfff]")
_USER: Final = re.compile(r"[^/?#]*//[^/?#]*@")
_LABELS: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_V4: Final = re.compile(r"(\d{1,3}\.){3}\d{1,3}")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110: a token
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")


def target(text: str) -> URL:
    """The URL of a task's argument; raises Refused."""
    if not isinstance(text, str):
        raise Refused(f"a URL is text, not {type(text).__name__}")
    if len(text) > URL_CHARS_MAX:
        raise Refused(f"the URL has {len(text):,} characters, and at most {URL_CHARS_MAX:,} are sent")
    if _UNSAFE.search(text):
        raise Refused(
            f"white space, a backslash or a control character in the URL {text!r:.200}; encode it as %20 …"
        )
    _refuse_user(text)
    try:
        url = URL(text)
    except ValueError as error:
        raise Refused(f"not a URL: {text!r:.200}: {error}") from None
    return _judged(url)


def redirected(url: URL, location: str) -> URL:
    """Where a redirect leads; raises Refused. Spaces in it are encoded, as browsers do."""
    location = location.strip(" \t").replace(" ", "%20")
    if len(location) > URL_CHARS_MAX or _UNSAFE.search(location):
        raise Refused(f"{url} redirects to what is no URL: {location!r:.200}")
    _refuse_user(location)
    try:
        return _judged(url.join(URL(location)))
    except ValueError as error:
        raise Refused(f"{url} redirects to what is no URL: {location!r:.200}: {error}") from None


def _refuse_user(text: str) -> None:
    """Some programs take what stands in front of the @ for the host. It may be a password: it is not shown."""
    if _USER.match(text):
        raise Refused("a URL with a user or a password is not fetched; send headers={'Authorization': …}")


def _judged(url: URL) -> URL:
    if url.scheme not in SCHEMES:
        raise Refused(
            f"only http and https are fetched, not {url.scheme or 'a URL without a scheme'!r:.40}: {url!s:.300}"
        )
    if url.raw_user is not None or url.raw_password is not None or "@" in url.raw_authority:
        raise Refused(
            f"a URL with a user or a password is not fetched; send headers={{'Authorization': …}}: {url!s:.300}"
        )
    host = url.raw_host or ""
    if not _is_host(host):
        raise Refused(f"not a host: {host!r:.300}")
    if (port := url.port) is None or port in BAD_PORTS:
        raise Refused(f"port {port} is not fetched from, as in browsers: {url!s:.300}")
    return url.with_fragment(None) if url.raw_fragment else url


@lru_cache(HOSTS_KNOWN_MAX)
def _is_host(host: str) -> bool:
    if ":" in host:  # yarl has read it as an IPv6 address; one with a zone is of this network
        return "%" not in host
    if (
        host.rpartition(".")[2].isdigit() or host.replace(".", "").isdigit()
    ):  # 127.1, 2130706433, 0177.0.0.1, 127.0.0.1.
        return _V4.fullmatch(host) is not None and all(
            str(int(one)) == one and int(one) < 256 for one in host.split(".")
        )
    return len(host) <= HOST_CHARS_MAX and _LABELS.fullmatch(host) is not None


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers of a task's argument, by their names in lower case; raises Refused."""
    if not headers:
        return {}
    if not isinstance(headers, Mapping) or len(headers) > HEADERS_MAX:
        raise Refused(f"headers are a mapping of names to values, at most {HEADERS_MAX}")
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise Refused(f"not a header's name: {name!r:.80}")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise Refused(f"the value of the header {name} is not one line of ASCII text")
        if name.lower() in OWN_HEADERS:
            raise Refused(f"the header {name} is set by the connection, not by a task")
        checked[name.lower()] = value
    if sum(map(len, (*checked, *checked.values()))) > HEADER_CHARS_MAX:
        raise Refused(f"the headers have more than {HEADER_CHARS_MAX:,} characters")
    return checked


def headers_for(url: URL, source: URL, headers: dict[str, str]) -> dict[str, str]:
    """What of the headers goes along to where a redirect leads: all within one origin, else none that may be a credential."""
    if url.origin() == source.origin():
        return headers
    return {name: value for name, value in headers.items() if name in ANYWHERE}
