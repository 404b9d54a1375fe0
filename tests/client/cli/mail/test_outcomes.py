"""Fates from outcomes, and the report that is a journal."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tq.client.cli.mail.outcomes import DeliveryStatus, EndedMessage, ended
from tq.client.cli.mail.report import COLUMNS, MailReport
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode
from tq.common.values.failure import Failure

ANNE = "anne@tq.example"
ID = bytes(16)


def failed(kind: str, message: str, state: StateNumber = StateNumber.FAILED, **detail: Any) -> EndedMessage:
    failure = Failure(f"tq.tasks.mail.{kind}", message, detail=detail)
    return ended(ANNE, ID, state, failure.encode(), 1.0)


def test_a_message_the_server_took() -> None:
    result = {"message_id": "<1@x>", "to": ANNE, "reply": "250 2.0.0 taken", "attempt": 3, "when": 5.0}
    assert ended(ANNE, ID, StateNumber.SUCCEEDED, encode(result), 9.0) == EndedMessage(
        ANNE, DeliveryStatus.SENT, "250", "2.0.0 taken", "3", 5.0, "<1@x>"
    )


@pytest.mark.parametrize(
    ("kind", "status"), [("Bounced", DeliveryStatus.BOUNCED), ("Deferred", DeliveryStatus.DEFERRED)]
)
def test_a_message_the_server_refused(kind: str, status: DeliveryStatus) -> None:
    row = failed(kind, "mx said 550 no user to anne", smtp_code=550, smtp_text="no user", attempt=2)
    assert row == EndedMessage(ANNE, status, "550", "no user", "2", 1.0)


def test_a_message_no_server_was_asked_about() -> None:
    assert failed("Deferred", "mx:25: refused", attempt=9) == EndedMessage(
        ANNE, DeliveryStatus.DEFERRED, "", "mx:25: refused", "9", 1.0
    )
    assert failed("Discard", "a header cannot be sent") == EndedMessage(
        ANNE, DeliveryStatus.FAILED, "", "a header cannot be sent", "", 1.0
    )


def test_other_ends() -> None:
    assert failed("x", "", StateNumber.CANCELLED).state is DeliveryStatus.CANCELLED
    assert failed("x", "its process died", StateNumber.DEAD).state is DeliveryStatus.FAILED
    assert ended(ANNE, ID, StateNumber.LOST, None, 1.0).smtp_text
    assert (
        ended(ANNE, ID, StateNumber.SUCCEEDED, b"\xc1", 1.0).state is DeliveryStatus.SENT
    )  # taken, whatever it said


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_report_is_written_as_messages_end(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    report = MailReport(path, resumed=False)
    report.append([EndedMessage(ANNE, DeliveryStatus.SENT, "250", "taken, thanks", "1", 0.0, "<1@x>")])
    [row] = rows(path)
    assert tuple(row) == COLUMNS
    assert row["smtp_text"] == "taken, thanks"
    assert row["when"] == "1970-01-01T00:00:00+00:00"
    report.append([EndedMessage("b@x", DeliveryStatus.BOUNCED, "550", "=cmd|x\r\ny")])
    assert rows(path)[1]["smtp_text"] == "'=cmd|x y"
    report.close()


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "|", "%", "\t=", "\r\n=", " =", "\uff1d", "'", "'="])
def test_no_cell_of_a_report_is_a_formula_and_every_address_is_known_again(
    begin: str, tmp_path: Path
) -> None:
    path, text = tmp_path / "report.csv", f"{begin}1+1@example.org"
    report = MailReport(path, resumed=False)
    report.append([EndedMessage(text, DeliveryStatus.SENT, text, text, text, 0.0, text)])
    report.close()
    [row] = rows(path)
    shown = "'" + " ".join(text.split())
    for column in ("email", "smtp_code", "smtp_text", "attempts", "message_id"):
        assert row[column] == shown
    resumed = MailReport(path, resumed=True)
    assert resumed.served == {" ".join(text.split())}
    resumed.close()


def test_a_report_goes_on_where_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    with pytest.raises(InvalidArgument, match="begin one with --report"):
        MailReport(path, resumed=True)
    report = MailReport(path, resumed=False)
    report.append(
        [EndedMessage(f"{status}@X", status) for status in DeliveryStatus]
        + [EndedMessage("again@x", DeliveryStatus.DEFERRED)]
    )
    report.append([EndedMessage("again@x", DeliveryStatus.SENT)])
    report.close()
    with path.open("ab") as file:
        file.write(b"torn@x,sen")
    with pytest.raises(InvalidArgument, match="go on with --resume"):
        MailReport(path, resumed=False)
    resumed = MailReport(path, resumed=True)
    assert resumed.served == {"sent@x", "bounced@x", "again@x"}
    resumed.append([EndedMessage("more@x", DeliveryStatus.SENT)])
    assert rows(path)[-1]["email"] == "more@x"
    with pytest.raises(InvalidArgument, match="another process is writing the report"):
        MailReport(path, resumed=True)
    resumed.close()


def test_another_file_is_not_taken_for_a_report(tmp_path: Path) -> None:
    path = tmp_path / "recipients.csv"
    path.write_text("name,email\nAnne,a@b\n")
    with pytest.raises(InvalidArgument, match="is not a report of tq mail"):
        MailReport(path, resumed=True)
    assert path.read_text() == "name,email\nAnne,a@b\n"
