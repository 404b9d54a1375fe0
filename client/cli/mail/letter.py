"""The letter: templates with ``$column`` or ``${any column}``, filled in for each row. Pure.

A template file may begin with headers, as a mail does::

    Subject: Your invoice, $name
    From: Accounts <accounts@example.org>
    To: $name <$email>

    Dear $name, …

Values of a row are escaped in HTML and quoted in URLs; in a header a value with a line break is refused.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any, Final
from urllib.parse import quote

from ....common.errors import InvalidArgument
from .addresses import UnfitRecipient, judged, shown

HEADER: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")
OWN_HEADERS: Final = ("subject", "from", "to")
MORE_HEADERS: Final = (
    "reply-to",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-id",
    "auto-submitted",
    "precedence",
)
CONTROL: Final = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]"
)  # all that a parser of headers could take for an end
_MAILBOX: Final = re.compile(r"(.*?)\s*<([^<>]*)>\s*", re.DOTALL)


class Placeholders(Template):
    """``$name`` and ``${a name with spaces}``; ``$$`` is a dollar."""

    braceidpattern = r"[^{}$\r\n]+"


class TemplatePart:
    """One template, and how values are escaped before they are inserted."""

    def __init__(self, text: str, where: str, escape: Callable[[str], str] | None = None) -> None:
        self.text, self._template, self._escape = text, Placeholders(text), escape
        for match in Placeholders.pattern.finditer(text):
            # At once: otherwise it is found at the first row, with a worse message.
            if match.group("invalid") is not None:
                line = text.count("\n", 0, match.start()) + 1
                near = text[match.start() : match.start() + 12].splitlines()[0]
                raise InvalidArgument(
                    f"{where}, line {line}: {near!r} is no $column; a dollar sign is written $$"
                )
        self.names = tuple(self._template.get_identifiers())

    def write(self, values: Mapping[str, str]) -> str:
        # No values are escaped that are not filled in.
        if not self.names:
            return self._template.substitute({})
        escape = self._escape
        if escape is not None:
            values = {name: escape(values[name]) for name in self.names}
        return self._template.substitute(values)


class Mailbox:
    """``Name <address>`` or an address, each part a template."""

    def __init__(self, text: str, where: str) -> None:
        match = _MAILBOX.fullmatch(text)
        name, address = match.groups() if match else ("", text)
        self._name, self._address = TemplatePart(name.strip().strip('"'), where), TemplatePart(address, where)
        self.names = (*self._name.names, *self._address.names)
        self.text = text

    def write(self, values: Mapping[str, str]) -> tuple[str, str]:
        """As a header shows it, and the address in it. Raises UnfitRecipient."""
        address = judged(self._address.write(values))
        return shown(one_line("the name", self._name.write(values)), address), address


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One recipient's message: the arguments of a task. ``address``: the bare address of ``to``."""

    to: str
    address: str
    sender: str
    subject: str
    text: str
    html: str | None
    headers: dict[str, str]
    attachments: tuple[str, ...]  # paths

    def arguments(
        self, attached: Mapping[str, Any], server: str | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """For ``tq.tasks.mail:send``; what is not needed is left out. ``attached``: names and contents."""
        options = {"html": self.html, "headers": self.headers, "attachments": attached, "server": server}
        return (self.to, self.subject, self.text, self.sender), {k: v for k, v in options.items() if v}


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """The templates of a campaign."""

    to: Mailbox
    sender: Mailbox
    subject: TemplatePart
    text: TemplatePart
    html: TemplatePart | None = None
    headers: Mapping[str, TemplatePart] = field(default_factory=dict)
    attachments: tuple[TemplatePart, ...] = ()

    def parts(self) -> Iterator[tuple[str, TemplatePart | Mailbox]]:
        """All templates by their names in error messages."""
        yield from (
            ("To", self.to),
            ("From", self.sender),
            ("Subject", self.subject),
            ("the text", self.text),
        )
        if self.html is not None:
            yield "the HTML", self.html
        yield from self.headers.items()
        yield from (("--attach", part) for part in self.attachments)

    def write(self, values: Mapping[str, str]) -> Message:
        """For one row. Raises UnfitRecipient."""
        to, address = self.to.write(values)
        return Message(
            to=to,
            address=address,
            sender=self.sender.write(values)[0],
            subject=one_line("the subject", self.subject.write(values)),
            text=self.text.write(values),
            html=None if self.html is None else self.html.write(values),
            headers={name: one_line(name, part.write(values)) for name, part in self.headers.items()},
            attachments=tuple(
                one_line("an attachment's path", part.write(values)) for part in self.attachments
            ),
        )


def one_line(what: str, text: str) -> str:
    """Refuse a value that could begin another header. Raises UnfitRecipient."""
    bad = CONTROL.search(text)
    if bad is not None:
        raise UnfitRecipient(
            f"{what} would have a line break or control character ({bad[0]!r}), which no header may have"
        )
    return text.strip()


def split_template(text: str, where: str) -> tuple[dict[str, str], str]:
    """The headers on top of a template file, by their names in small letters, and the text below them."""
    # Editors of Windows write both.
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    first = HEADER.match(text)
    if first is None or not _is_header(first[1].lower()):
        return {}, text
    head, _, body = text.partition("\n\n")
    headers: dict[str, str] = {}
    for number, line in enumerate(head.split("\n"), 1):
        match = HEADER.fullmatch(line)
        if match is None or not _is_header(match[1].lower()) or match[1].lower() in headers:
            known = "Subject, From, To, Reply-To, List-Unsubscribe, X-…, each once"
            raise InvalidArgument(
                f"{where}, line {number}: {line!r:.60} is no header that can be set here ({known}); an empty line ends the headers"
            )
        headers[match[1].lower()] = match[2].strip()
    return headers, body


def unsubscribing(url: str) -> dict[str, TemplatePart]:
    """The headers by which mail programs show a button. One click needs https (RFC 8058)."""
    if not url.startswith(("https://", "mailto:")) or any(character in url for character in "<> \t\r\n"):
        raise InvalidArgument(f"--unsubscribe {url!r:.80}: write https://… or mailto:…")
    headers = {
        "List-Unsubscribe": TemplatePart(f"<{url}>", "--unsubscribe", lambda value: quote(value, safe=""))
    }
    if url.startswith("https://"):
        headers["List-Unsubscribe-Post"] = TemplatePart("List-Unsubscribe=One-Click", "--unsubscribe")
    return headers


def as_html(text: str, where: str) -> TemplatePart:
    return TemplatePart(text.removeprefix("\ufeff"), where, html.escape)


def _is_header(name: str) -> bool:
    return name in OWN_HEADERS or name in MORE_HEADERS or name.startswith("x-")
