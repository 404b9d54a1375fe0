"""The files of ``tq mail``: reads templates, recipients and attachments; writes ready messages for inspection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ....common.domain.directives import Discard
from ....common.errors import InvalidArgument
from ....common.values.blob import Blob
from ....tasks.message import compose, finished
from .addresses import UnfitRecipient
from .letter import Message

KEPT_BYTES_MAX: Final = 64 * 1024 * 1024  # of attachments, to read what many get only once
KEPT_FILES_MAX: Final = 1_000  # large ones, known by their hashes
SMALL_BYTES_MAX: Final = 32 * 1024  # beside the rest of a task it hardly matters
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
    """Files by path. Small ones are sent in each task, large ones once as blobs, for any number of recipients."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._small: dict[str, bytes] = {}
        self._small_bytes = 0
        self._large: dict[str, Blob] = {}

    def size_of(self, path: str) -> int:
        size = self._sizes.get(path)
        if size is None:
            with _reading(path), open(path, "rb") as file:
                size = self._sizes[path] = file.seek(0, 2)
        return size

    def of(self, message: Message) -> dict[str, bytes | Blob]:
        """Names and contents, for a task. Raises UnfitRecipient."""
        return {Path(path).name: self._content(path) for path in message.attachments}

    def read(self, message: Message) -> dict[str, bytes]:
        """Names and contents, for the preview. Raises UnfitRecipient."""
        return {Path(path).name: self._read(path) for path in message.attachments}

    def _content(self, path: str) -> bytes | Blob:
        if self.size_of(path) <= SMALL_BYTES_MAX:
            return self._read(path)
        blob = self._large.get(path)
        if blob is None:
            with _reading(path):
                blob = Blob.of(path)
            if len(self._large) < KEPT_FILES_MAX:
                self._large[path] = blob
        return blob

    def _read(self, path: str) -> bytes:
        data = self._small.get(path)
        if data is None:
            with _reading(path):
                data = Path(path).read_bytes()
            if self._small_bytes + len(data) <= KEPT_BYTES_MAX:
                self._small[path] = data
                self._small_bytes += len(data)
        return data


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnfitRecipient(f"its attachment {path} cannot be read: {error.strerror or error}") from None


def as_eml(message: Message, attached: dict[str, bytes]) -> bytes:
    """The message as ``tq.tasks.mail`` makes it, but for Message-ID and Date, which the sending gives it. Raises UnfitRecipient."""
    (to, subject, text, sender), options = message.arguments(attached, None)
    try:
        return finished(compose(to, subject, text, sender=sender, message_id=None, **options))
    except Discard as error:
        raise UnfitRecipient(str(error)) from None
