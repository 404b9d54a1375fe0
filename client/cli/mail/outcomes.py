"""The delivery status of a message, from the outcome of its task. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final, NamedTuple

from ....common.domain.model import StateNumber
from ....common.errors import TqError
from ....common.values.failure import Failure
from ...tasks.outcomes import TaskOutcome

_REPLY: Final = re.compile(r"(\d{3}) (.*)", re.DOTALL)


class DeliveryStatus(StrEnum):
    SENT = "sent"  # the server took it
    DEFERRED = "deferred"  # the server, or the way to it, refused for now, at every try
    BOUNCED = "bounced"  # the server refused for good
    FAILED = "failed"  # something else: see its text
    CANCELLED = "cancelled"


_FATES: Final = {
    "Deferred": DeliveryStatus.DEFERRED,
    "Bounced": DeliveryStatus.BOUNCED,
}  # what tq.tasks.mail raises
FINAL: Final = (DeliveryStatus.SENT, DeliveryStatus.BOUNCED)  # what a further run leaves alone


class EndedMessage(NamedTuple):
    """A row of the report."""

    email: str
    state: DeliveryStatus
    smtp_code: str = ""
    smtp_text: str = ""
    attempts: str = ""
    when: float | None = None  # Unix seconds
    message_id: str = ""


def ended(email: str, id: bytes, state: int, body: bytes | None, now: float | None) -> EndedMessage:
    """``now``: when the outcome arrived; None if the task had ended before this run."""
    outcome = TaskOutcome(state, body)
    try:
        if state == StateNumber.SUCCEEDED:
            return _sent(email, outcome.value(id), now)
        outcome.error(id)
    except TqError as unreadable:  # forgotten by the master, or of another version
        status = DeliveryStatus.SENT if state == StateNumber.SUCCEEDED else DeliveryStatus.FAILED
        return EndedMessage(email, status, smtp_text=str(unreadable), when=now)
    failure = Failure.decode(body)
    if state == StateNumber.CANCELLED:
        return EndedMessage(email, DeliveryStatus.CANCELLED, when=now)
    kind, detail = failure.type.rpartition(".")[2], failure.detail
    return EndedMessage(
        email,
        _FATES.get(kind, DeliveryStatus.FAILED),
        smtp_code=str(detail.get("smtp_code", "")),
        smtp_text=str(detail.get("smtp_text", "")) or failure.message or str(outcome.error(id)),
        attempts=str(detail.get("attempt", "")),
        when=now,
    )


def refused(email: str, error: str, now: float) -> EndedMessage:
    """It never became a task."""
    return EndedMessage(email, DeliveryStatus.FAILED, smtp_text=error, when=now)


def _sent(email: str, result: Any, now: float | None) -> EndedMessage:
    if not isinstance(result, dict):
        return EndedMessage(email, DeliveryStatus.SENT, when=now)
    match = _REPLY.fullmatch(str(result.get("reply", "")))
    when = result.get("when")
    return EndedMessage(
        email,
        DeliveryStatus.SENT,
        smtp_code=match[1] if match else "",
        smtp_text=match[2] if match else "",
        attempts=str(result.get("attempt", "")),
        when=when if isinstance(when, float) else now,
        message_id=str(result.get("message_id", "")),
    )
