"""What is read from disk: templates, recipients, attachments; and ready messages, written to be looked at."""

from __future__ import annotations

import mimetypes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final

from ....common.errors import InvalidArgument
from .addresses import Unfit
from .letter import Message

SEVEN_BITS: Final = SMTP.clone(cte_type="7bit")
KEPT_BYTES_MAX: Final = 64 * 1024 * 1024  # of attachments, to read what many get only once
TEMPLATE_BYTES_MAX: Final = 4 * 1024 * 1024


def read_bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"cannot read {what} {path}: {error.strerror}") from None


def read_template(path: Path, what: str) -> str:
    data = read_bytes(path, what)
    if len(data) > TEMPLATE_BYTES_MAX:
        raise InvalidArgument(f"{what} {path} has {len(data):,} bytes, more than {TEMPLATE_BYTES_MAX:,}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(f"{what} {path}, line {line}, is not UTF-8; save it as UTF-8") from None


class Attachments:
    """Files by path. A file that changes under way is sent as it was first read, as far as there is room."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._kept: dict[str, bytes] = {}
        self._kept_bytes = 0

    def size_of(self, path: str) -> int:
        size = self._sizes.get(path)
        if size is None:
            try:
                with open(path, "rb") as file:
                    size = self._sizes[path] = file.seek(0, 2)
            except OSError as error:
                raise Unfit(f"its attachment {path} cannot be read: {error.strerror}") from None
        return size

    def of(self, message: Message) -> dict[str, bytes]:
        """Names and contents. Raises Unfit."""
        return {Path(path).name: self._read(path) for path in message.attachments}

    def _read(self, path: str) -> bytes:
        data = self._kept.get(path)
        if data is None:
            try:
                data = Path(path).read_bytes()
            except OSError as error:
                raise Unfit(f"its attachment {path} cannot be read: {error.strerror}") from None
            if self._kept_bytes + len(data) <= KEPT_BYTES_MAX:
                self._kept[path] = data
                self._kept_bytes += len(data)
        return data


def as_eml(message: Message, attached: dict[str, bytes]) -> bytes:
    """The message as ``tq.tasks.mail`` makes it, but for Message-ID and Date, which the sending gives it."""
    mail = EmailMessage(policy=SEVEN_BITS)
    own = {"To": message.to, "From": message.sender, "Subject": message.subject}
    for name, value in {**own, **message.headers}.items():
        mail[name] = value
    mail.set_content(message.text)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
    for name, data in attached.items():
        kind, encoding = mimetypes.guess_type(name, strict=False)
        maintype, _, subtype = (kind if kind and not encoding else "application/octet-stream").partition("/")
        if maintype in ("text", "message", "multipart"):
            maintype, subtype = "application", "octet-stream"
        mail.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return mail.as_bytes()
