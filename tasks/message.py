"""A mail message in bytes, made from text: headers, text, HTML, attachments. Knows no server.

All inputs are plain text and never parsed as syntax. ``email``'s own policies parse a header when it is set, and decode
an encoded word in it (``=?utf-8?q?x=0D=0ABcc:…?=``), so a field of seven visible ASCII characters becomes a line
break and a header of its author's choice. Here the way is one-directional:

    text ──► checked: no control character ──► email.header.Header ──► ASCII, folded ──► bytes ──► checked again

1. The bytes contain no header that was not set here.
2. The subject, read by a strict parser, is the given text.
3. A message that can never be sent is refused at once, by tq.Discard: further attempts would fail as well.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable, Mapping
from email.errors import MessageError
from email.header import Header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy
from email.policy import default as strict
from email.utils import formatdate, getaddresses, parseaddr
from typing import Final
from urllib.parse import quote

import tq

LINE_CHARS: Final = 76  # RFC 2047: of a line with an encoded word
LINE_CHARS_MAX: Final = 998  # RFC 5322: of any line
NAME_CHARS_MAX: Final = 255  # of an attachment: more than that no file system has
# Of an attachment's name in one line, below LINE_CHARS with what stands around it
NAME_PART_CHARS: Final = 54
DISPLAY_CHARS: Final = 60  # a longer name is encoded, because an encoded one can be folded
HEADER_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322: printable ASCII, no colon
OWN_HEADERS: Final = {"to", "from", "subject", "date", "message-id", "mime-version"}  # each has its argument
OF_ADDRESSES: Final = {"reply-to", "cc", "bcc", "sender"}
ADDRESS: Final = re.compile(
    r"[!#-'*+./0-9=?A-Z^-~-]+@[!#-'*+./0-9:=?A-Z\[\]^-~-]+"
)  # ASCII, as SMTP carries it
MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]+>")
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN_WORD: Final = re.compile(r"[!-~]{1,900}")  # may stand in a header as it is, and in a line
_PLAIN_DISPLAY: Final = re.compile(r"[\w !#$%&'*+/?^`{|}~-]+", re.ASCII)
_PLAIN_FILE: Final = re.compile(r"[\w ().+-]{1,60}", re.ASCII)
_PARTS_OF_FILE: Final = re.compile(rf"(?:%..|[^%]){{1,{NAME_PART_CHARS // 3}}}")


class _AsGiven(EmailPolicy):
    """Keeps and writes headers as they were set, encoded and folded, without parsing them."""

    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        return name, value


AS_GIVEN: Final = _AsGiven(
    linesep="\r\n",
    cte_type="7bit",  # not every server on the way has 8BITMIME
    refold_source="none",
)


def compose(
    to: str,
    subject: str,
    text: str,
    *,
    sender: str,
    html: str | None = None,
    headers: Mapping[str, str] | None = None,
    attachments: Mapping[str, bytes] | None = None,
    message_id: str | None,
) -> EmailMessage:
    """The message; raises tq.Discard for what can never be sent: a bad address, a line break in a header.

    ``message_id``: None for one that is only looked at; it gets neither Message-ID nor Date.
    """
    try:
        message = EmailMessage(policy=AS_GIVEN)
        message["To"] = _one_address("To", to)
        message["From"] = _one_address("From", sender)
        message["Subject"] = encoded("Subject", subject)
        for name, value in (headers or {}).items():
            message[name] = _further(name, value)
        if message_id is not None:
            message["Message-ID"] = _checked_id(message_id)
            message["Date"] = formatdate(localtime=True)
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
        for name, data in (attachments or {}).items():
            _attach(message, name, data)
        _check(_head(message), message.keys(), subject)
    except (ValueError, IndexError, MessageError) as error:
        raise tq.Discard(f"the message cannot be sent: {error}") from error
    return message


def finished(message: EmailMessage) -> bytes:
    """The bytes of a message from ``compose``, checked once more; raises tq.Discard."""
    content, head = message.as_bytes(policy=AS_GIVEN), _head(message)
    try:
        _check(head, message.keys(), str(message["Subject"]))
        if not content.startswith(head + b"\r\n"):
            raise ValueError("its bytes would not begin with its headers")
    except ValueError as error:  # a program set another after it was made
        raise tq.Discard(f"the message cannot be sent: {error}") from error
    return content


# headers


def encoded(name: str, text: str) -> str:
    """Text as the value of a header: ASCII, folded; words that need it are encoded, with the spaces between them."""
    words = checked(name, text).split(" ")
    odd = [at for at, word in enumerate(words) if not _PLAIN_WORD.fullmatch(word)]
    if text and any(not word or word.isspace() for word in words):  # spaces that a reader would leave out
        odd = [0, len(words) - 1]
    elif "=?" in text and "?=" in text:  # it looks like an encoded word, and is to be read as it is written
        odd += [at for at, word in enumerate(words) if "=?" in word or "?=" in word]
    if text and odd:
        first, after = min(odd), max(odd) + 1
        run = Header(
            " ".join(words[first:after]),
            "utf-8",
            header_name=None if first else name,
            maxlinelen=LINE_CHARS - 1,
        )
        words[first:after] = run.encode().split()
    return _folded(words, LINE_CHARS - len(name) - 2)


def _folded(words: list[str], room: int) -> str:
    """Fold, but never before the first word: a reader may take the rest of that line for an empty header."""
    lines = words[:1]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= (room if len(lines) == 1 else LINE_CHARS - 1):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n ".join(lines)


def checked(name: str, text: str) -> str:
    """Refuse characters that could end a line or that cannot be encoded."""
    if not isinstance(text, str):
        raise ValueError(f"{name} is a {type(text).__name__}, not text")
    bad = _CONTROL.search(text)
    if bad is not None:
        raise ValueError(f"{name} has a line break or control character: {bad[0]!r}")
    return text


def _further(name: str, value: str) -> str:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is no name of a header")
    if name.lower() in OWN_HEADERS or name.lower().startswith("content-"):
        raise ValueError(f"the header {name} is made from an argument of its own, or from the content")
    if name.lower() in OF_ADDRESSES:
        return ",\n ".join(_addresses(name, value))
    return encoded(name, value)


def _one_address(name: str, text: str) -> str:
    addresses = _addresses(name, text)
    if len(addresses) != 1 or not ADDRESS.fullmatch(parseaddr(text)[1]):
        raise ValueError(f"{text!r:.300} is not a mail address of ASCII characters")
    return addresses[0]


def _addresses(name: str, text: str) -> list[str]:
    found = getaddresses([checked(name, text)])
    for _, address in found:
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"{text!r:.300} is not a mail address of ASCII characters")
    return [_mailbox(name, display, address) for display, address in found]


def _mailbox(name: str, display: str, address: str) -> str:
    if not display:
        return address
    if len(display) <= DISPLAY_CHARS and display.isascii() and not ("=?" in display and "?=" in display):
        if not _PLAIN_DISPLAY.fullmatch(display):
            display = '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
        shown = display
    else:
        shown = Header(display, "utf-8", header_name=name, maxlinelen=LINE_CHARS - 1).encode()
    gap = " " if len(name) + len(shown) + len(address) < LINE_CHARS else "\n "
    return f"{shown}{gap}<{address}>"


def _checked_id(text: str) -> str:
    if not MESSAGE_ID.fullmatch(checked("Message-ID", text)):
        raise ValueError(f"Message-ID {text!r:.80} does not look like <…@example.org>")
    return text


# attachments


def _attach(message: EmailMessage, name: str, data: bytes) -> None:
    if not checked("an attachment's name", name) or len(name) > NAME_CHARS_MAX:
        raise ValueError(f"an attachment's name has 1 to {NAME_CHARS_MAX} characters: {name!r:.80}")
    kind, encoding = mimetypes.guess_type(f"./{name}", strict=False)  # else a name like data:… would be a URL
    maintype, _, subtype = (kind if kind and not encoding else "application/octet-stream").partition("/")
    if maintype in ("text", "message", "multipart"):  # those would be rewritten on the way
        maintype, subtype = "application", "octet-stream"
    message.add_attachment(data, maintype=maintype, subtype=subtype)
    *_, part = message.iter_parts()
    part.replace_header("Content-Disposition", f"attachment;{_file_name(name)}")


def _file_name(name: str) -> str:
    """The parameter; any but the plainest name by RFC 2231, in as many parts as it needs."""
    if _PLAIN_FILE.fullmatch(name):
        return f' filename="{name}"'
    parts = _PARTS_OF_FILE.findall(quote(name, safe=""))
    if len(parts) == 1:
        return f"\n filename*=utf-8''{parts[0]}"
    return ";".join(
        f"\n filename*{at}*={'' if at else 'utf-8' + 2 * chr(39)}{part}" for at, part in enumerate(parts)
    )


# the check of what was made


def _head(message: EmailMessage) -> bytes:
    return b"".join(AS_GIVEN.fold_binary(name, value) for name, value in message.raw_items())


def _check(head: bytes, names: Iterable[str], subject: str) -> None:
    """Check that a reader of the bytes finds exactly the headers that were set."""
    lines = head.decode("ascii").split("\r\n")
    found = [line.partition(":")[0] for line in lines if line[:1] not in ("", " ", "\t")]
    if found != list(names) or lines[-1] or not all(lines[:-1]):
        raise ValueError("its headers would not be those that were set")
    if any("\r" in line or "\n" in line or len(line) > LINE_CHARS_MAX for line in lines):
        raise ValueError(f"a line of a header would be longer than {LINE_CHARS_MAX} characters, or broken")
    read = BytesHeaderParser(policy=strict).parsebytes(head)
    if str(read["Subject"]) != subject:
        raise ValueError(f"the subject would be read as {str(read['Subject'])!r:.300}")
