"""Finds all problems before anything is sent and reports them together. Pure except for ``size_of``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ....common.errors import InvalidArgument
from ....common.runtime.guessing import nearest
from .addresses import UnfitRecipient, domain_of, sameness
from .letter import Letter, Mailbox, Message
from .table import Problem, Row, Table

TEXT_BYTES_MAX: Final = 4 * 1024 * 1024  # with HTML; it travels in the task
ATTACHED_BYTES_MAX: Final = 64 * 1024 * 1024  # no public server takes half of it
HEADER_LINE: Final = 1


class Recipient(NamedTuple):
    row: Row
    address: str
    domain: str


@dataclass(kw_only=True, slots=True)
class MailPlan:
    """The messages of all recipients, and the problems."""

    letter: Letter
    columns: tuple[str, ...]
    recipients: list[Recipient] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def message(self, recipient: Recipient) -> Message:
        return self.letter.write(self.values(recipient.row))

    def values(self, row: Row) -> Mapping[str, str]:
        return dict(zip(self.columns, row.fields, strict=True))

    @property
    def domains(self) -> int:
        return len({recipient.domain for recipient in self.recipients})


def check(letter: Letter, table: Table, size_of: Callable[[str], int]) -> MailPlan:
    """``size_of``: bytes of an attachment; raises UnfitRecipient when it cannot be read."""
    plan = MailPlan(letter=letter, columns=table.columns)
    plan.problems += _unknown_columns(letter, table.columns)
    # Each row would fail with the same words.
    if plan.problems:
        return plan
    if not letter.sender.names:
        _check_sender(letter.sender)
    plan.problems += table.problems
    lines: dict[str, int] = {}
    for row in table.rows:
        try:
            message = plan.message(Recipient(row, "", ""))
            _check_size(message, size_of)
            # By what servers take for one mailbox, not by the letters.
            earlier = lines.setdefault(sameness(message.address), row.line)
            if earlier != row.line:
                raise UnfitRecipient(f"{message.address} has a message by line {earlier} already")
        except UnfitRecipient as error:
            plan.problems.append(Problem(row.line, str(error)))
            continue
        # A million recipients have few domains: each text is kept once.
        domain = sys.intern(domain_of(message.address))
        plan.recipients.append(Recipient(row, message.address, domain))
    plan.problems.sort()
    plan.warnings += _empty_fields(letter, table)
    return plan


def _unknown_columns(letter: Letter, columns: tuple[str, ...]) -> list[Problem]:
    found = []
    for what, part in letter.parts():
        for name in part.names:
            if name not in columns:
                near = nearest(name, columns) or [
                    column for column in columns if column.casefold() == name.casefold()
                ]
                hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(columns)}"
                found.append(
                    Problem(HEADER_LINE, f"{what} uses ${name:.80}, which is no column; {hint:.300}")
                )
    return list(dict.fromkeys(found))


def _check_sender(sender: Mailbox) -> None:
    try:
        sender.write({})
    except UnfitRecipient as error:
        raise InvalidArgument(f"--from: {error}") from None


def _check_size(message: Message, size_of: Callable[[str], int]) -> None:
    size = len(message.text.encode()) + len((message.html or "").encode())
    if size > TEXT_BYTES_MAX:
        raise UnfitRecipient(
            f"its text would have {size:,} bytes, and may have {TEXT_BYTES_MAX:,}; attach it as a file"
        )
    size = sum(size_of(path) for path in message.attachments)
    if size > ATTACHED_BYTES_MAX:
        raise UnfitRecipient(
            f"its attachments have {size:,} bytes, and may have {ATTACHED_BYTES_MAX:,}; put the large file where "
            "people can fetch it and write the link, or attach less"
        )
    names = [path.rpartition("/")[2] for path in message.attachments]
    if len(set(names)) < len(names):
        raise UnfitRecipient("two of its attachments have the same name")


def _empty_fields(letter: Letter, table: Table) -> list[str]:
    """Warn about empty columns, which would send ``Dear ,``."""
    names = {name for _, part in letter.parts() for name in part.names}
    problems_found = []
    for index, column in enumerate(table.columns):
        if column in names:
            lines = [row.line for row in table.rows if not row.fields[index].strip()]
            if lines:
                problems_found.append(f"${column} is empty in {len(lines):,} rows, first in line {lines[0]}")
    return problems_found
