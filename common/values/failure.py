"""Why an attempt failed, as data: type name, message, traceback text, plain arguments. Nothing is rebuilt from it
here; where the standard library's users expect their own exceptions, ``client/stdlib/exceptions.py`` is careful.
"""

from __future__ import annotations

import importlib
import os
import traceback as tracebacks
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..domain.model import StateNumber
from ..errors import (
    DecodeError,
    DependencyFailed,
    ProtocolError,
    TaskCancelled,
    TaskCrashed,
    TaskError,
    TaskExpired,
    TaskLost,
    TaskTimeout,
    TqError,
    WouldDeadlock,
)
from ..wire.frames import Skimmed
from .codec import decode, encode
from .exception_text import ask, message, notes, plain_text, slot, traceback_text, type_name

MESSAGE_CHARS_MAX: Final = 8 * 1024
TRACEBACK_CHARS_MAX: Final = 64 * 1024
ARGS_MAX: Final = 8
PACKED_ARGS_BYTES_MAX: Final = 64 * 1024  # as much as a traceback
DEPENDENCY: Final = "dependency"  # the outcome, in the detail, of a task that fell with one that it needs
DEADLOCK: Final = "deadlock"  # the same of one that waited for a task that no slot was left for
TEXT_BYTES_MAX: Final = 4 * TRACEBACK_CHARS_MAX + 16  # of one of its texts, encoded

_PACKAGE: Final = str(Path(os.path.abspath(__file__)).parents[2])
_IMPORTING: Final = ("<frozen importlib", os.path.dirname(importlib.__file__) + os.sep)
_OURS: Final = (
    *(os.path.join(_PACKAGE, room, "") for room in ("client", "common", "worker")),
    *_IMPORTING,
)
# What runs the user's code and stands above it; `asyncio` without being imported: most tasks need none of it.
_DRIVERS: Final = (
    os.path.join(_PACKAGE, "worker", ""),
    *_IMPORTING,
    os.path.join(os.path.dirname(os.__file__), "asyncio", ""),
)

_ERROR_OF_STATE: Final[dict[StateNumber, type[TaskError]]] = {
    StateNumber.DEAD: TaskCrashed,
    StateNumber.CANCELLED: TaskCancelled,
    StateNumber.EXPIRED: TaskExpired,
    StateNumber.LOST: TaskLost,
}
_MESSAGE_OF_STATE: Final[dict[StateNumber, str]] = {
    StateNumber.CANCELLED: "the task was cancelled",
    StateNumber.EXPIRED: "the task was not started in time",
    StateNumber.LOST: "the worker vanished and the task may not be started twice",
}


@dataclass(frozen=True, slots=True)
class Failure:
    type: str
    message: str
    traceback: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: BaseException, below: str = "") -> Failure:
        """A failure from an exception, with the user's frames of its traceback. ``below``: a file of tq whose frames are
        below them when a signal raised the exception. Never raises: see exception_text.py.
        """

        def trim(stack: tracebacks.StackSummary, one: BaseException) -> list[tracebacks.FrameSummary]:
            frames = list(stack)
            while one is error and frames and frames[-1].filename == below:
                frames.pop()
            return _the_users(frames, on_purpose=issubclass(type(one), TqError))

        detail = _own_detail(error)
        detail = {**detail, **ask(lambda: _arguments(error), {})}
        # The notes of our own errors are made where they are shown.
        if not issubclass(type(error), TqError) and (added := notes(error, MESSAGE_CHARS_MAX)):
            detail = {**detail, "notes": added}
        text = traceback_text(error, trim, TRACEBACK_CHARS_MAX, _OURS)
        return cls(type_name(error), message(error, MESSAGE_CHARS_MAX), text, detail)

    def encode(self) -> bytes:
        """Never raises: a detail that has become something else meanwhile is left out."""
        try:
            return encode([self.type, self.message, self.traceback, self.detail])
        except Exception:  # test: test_a_detail_that_changes_after_it_was_judged_is_left_out
            return encode([self.type, self.message, self.traceback, {}])

    @classmethod
    def decode(cls, body: bytes | None) -> Failure:
        """The failure in ``body``. Never raises: a report that cannot be read must still be shown."""
        if body is None:
            return cls("", "")
        try:
            match decode(body):
                case [str(kind), str(message), str(text), dict(detail)]:
                    return cls(kind, message, text, detail)
        except DecodeError as error:
            return cls("DecodeError", f"the report of this failure cannot be read: {error}")
        return cls("DecodeError", "the report of this failure has an unknown form")

    @classmethod
    def heading(cls, body: bytes | None) -> Failure:
        """As ``decode``, without traceback and detail: these are passed over, whatever a worker put there. For a master that
        looks through many."""
        whole = cls.without_detail(body)
        return cls(whole.type, whole.message)

    @classmethod
    def without_detail(cls, body: bytes | None) -> Failure:
        """As ``heading``, with the traceback."""
        if body is None:
            return cls("", "")
        try:
            return cls(*_taken_apart(body)[:3])
        except DecodeError as error:
            return cls("DecodeError", f"the report of this failure cannot be read: {error}")

    @classmethod
    def reworded(cls, body: bytes, type: str, words: Callable[[str], str]) -> bytes:
        """The failure in ``body``, encoded, with another type and what ``words`` makes of its message. Its detail is neither
        read nor lost."""
        try:
            _, message, traceback, detail = _taken_apart(body)
        except DecodeError as error:
            return cls(type, words(f"the report of this failure cannot be read: {error}")).encode()
        texts = [encode(text) for text in (type, words(message), traceback)]
        return b"".join((b"\x94", *texts, detail))  # an array of four, as ``encode`` writes it


def _the_users(frames: list[tracebacks.FrameSummary], *, on_purpose: bool) -> list[tracebacks.FrameSummary]:
    """Frames without those of tq that led to the user's code, or are between two parts of it. Frames of tq below it stay,
    because there may be a bug to find, unless the error is one that tq raises ``on_purpose``: then its message says all."""
    users = [index for index, frame in enumerate(frames) if not frame.filename.startswith(_OURS)]
    below = len(frames) if on_purpose else users[-1] if users else 0
    gone = [_IMPORTING if at > below else _OURS for at in range(len(frames))]
    kept = [frame for frame, those in zip(frames, gone, strict=True) if not frame.filename.startswith(those)]
    while kept and kept[0].filename.startswith(_DRIVERS):
        kept.pop(0)
    return kept


def _taken_apart(body: bytes) -> tuple[str, str, str, bytes]:
    """Type, message, traceback, and the detail as it is encoded. Raises DecodeError."""
    try:
        skimmed = Skimmed(body)
        if skimmed.array() != 4:
            raise DecodeError("it has an unknown form")
        kind, message, text = (skimmed.take(TEXT_BYTES_MAX) for _ in range(3))
        detail = skimmed.rest()
    except ProtocolError as error:
        raise DecodeError(f"{error}") from None
    if not (type(kind) is type(message) is type(text) is str) or not detail:
        raise DecodeError("it has an unknown form")
    return kind, message, text, detail


def to_error(state: StateNumber, failure: Failure) -> TaskError:
    """The exception a caller gets for a task that ended in ``state``."""
    kind = _ERROR_OF_STATE.get(state, TaskError)
    if state == StateNumber.FAILED and failure.detail.get("outcome") == "timeout":
        kind = TaskTimeout
    elif state == StateNumber.FAILED and failure.detail.get("outcome") == DEPENDENCY:
        kind = DependencyFailed
    elif state == StateNumber.FAILED and failure.detail.get("outcome") == DEADLOCK:
        kind = WouldDeadlock
    message = failure.message or _MESSAGE_OF_STATE.get(state, "the task failed")
    return kind(message, type=failure.type, traceback=failure.traceback, detail=failure.detail)


def _own_detail(error: BaseException) -> dict[str, Any]:
    """Further facts of an exception: its attribute ``tq_detail``, a dict that can be sent."""
    detail = ask(lambda: getattr(error, "tq_detail", None), None)
    if type(detail) is not dict or not all(type(name) is str for name in detail):
        return {}
    return ask(lambda: dict(decode(encode(detail), as_is=True)), {})  # a copy: the user's own may change


def _arguments(error: BaseException) -> dict[str, Any]:
    """What the exception was made from: as ``args`` if all of it is plain and small, else as ``packed_args``, encoded by itself, so
    that a reader who cannot decode it (an enum that is not loaded there) still reads the failure. Empty for what cannot be sent."""
    args = list(slot(error, "args"))
    if issubclass(type(error), OSError) and len(args) == 2:
        first, second = (vars(OSError)[name].__get__(error) for name in ("filename", "filename2"))
        if first is not None:
            args.append(first)
            if second is not None:  # the fourth is for Windows
                args += [None, second]
    if issubclass(type(error), UnicodeEncodeError | UnicodeDecodeError) and len(args[1]) > MESSAGE_CHARS_MAX:
        args[1] = type(args[1])()  # a whole file; encoding, place and reason say what is wrong
    try:
        return {"args": list(_plain(args))}
    except ValueError:
        packed = encode(args)
        return {"packed_args": packed} if len(packed) <= PACKED_ARGS_BYTES_MAX else {}


def _plain(values: Sequence[Any]) -> Iterator[Any]:
    """The values, fit to be sent; raises ValueError when one is not. A SyntaxError has a tuple of them inside."""
    if len(values) > ARGS_MAX:
        raise ValueError("too many")
    for value in values:
        kind = type(value)
        if kind is str and len(value) <= MESSAGE_CHARS_MAX:
            yield plain_text(value, MESSAGE_CHARS_MAX)
        elif kind is tuple and values.__class__ is list:
            yield tuple(_plain(value))
        elif (
            value is None
            or kind in (bool, float)
            or (kind is int and abs(value) < 2**63)
            or (kind is bytes and len(value) <= MESSAGE_CHARS_MAX)
        ):
            yield value
        else:
            raise ValueError("not plain")


def show_bytes(size: float) -> str:
    """A size at a glance: ``812 MiB``."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop()
    return f"{size:.0f} {units[-1]}" if size >= 10 or units[-1] == "B" else f"{size:.1f} {units[-1]}"
