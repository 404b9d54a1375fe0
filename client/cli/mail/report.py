"""The report: a CSV file with a line for every message that has ended, written as they end.

It is also the journal: ``--resume FILE`` skips the recipients that the file lists as served, even if the master no longer
knows their tasks, and continues the file. A line torn by a crash is cut off. Of several lines for one address the last one
counts.
"""

from __future__ import annotations

import csv
import datetime
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ....common.errors import InvalidArgument
from ..run_files import open_run_file
from .addresses import sameness
from .outcomes import FINAL, EndedMessage

COLUMNS: Final = ("email", "state", "smtp_code", "smtp_text", "attempts", "when", "message_id")
# Cells that a spreadsheet would evaluate as formulas; servers and recipients can choose such texts. A leading apostrophe
# marks a cell as text; an existing apostrophe gets another, so that the first one is always ours.
FORMULA: Final = ("=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")


class MailReport:
    """An open report, locked: two runs never write one."""

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self.path = path
        self.served: set[str] = set()
        self._file = open_run_file(path, kind="report", begun_by="--report", resumed=resumed)
        try:
            self._begin(resumed)
        except BaseException:
            self._file.close()
            raise

    def append(self, rows: Iterable[EndedMessage]) -> None:
        """Write rows; they survive a kill of this process."""
        self._file.write(as_csv(rows))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _begin(self, resumed: bool) -> None:
        file, path = self._file, self.path
        size = os.fstat(file.fileno()).st_size
        if not size:
            file.write((",".join(COLUMNS) + "\r\n").encode())
            file.flush()
            return
        if not resumed:
            raise InvalidArgument(f"{path} exists; go on with --resume {path}, or name another file")
        file.seek(0)
        data = file.read()
        # A line that was torn by a crash may be of a message that was sent: it is asked about again.
        whole = data.rfind(b"\n") + 1
        file.truncate(whole)
        rows = csv.reader(io.StringIO(data[:whole].decode("utf-8-sig", "replace"), newline=""))
        if next(rows, None) != list(COLUMNS):
            raise InvalidArgument(
                f"{path} is not a report of tq mail; its first line would be {','.join(COLUMNS)}"
            )
        for row in rows:
            if len(row) == len(COLUMNS):
                # The last line of an address counts: a later run may have tried it again.
                note = self.served.add if row[1] in FINAL else self.served.discard
                note(sameness(row[0].removeprefix("'")))


def as_csv(rows: Iterable[EndedMessage]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        columns = row._asdict() | {"when": _iso(row.when)}
        writer.writerow([_cell(str(columns[name])) for name in COLUMNS])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(text: str) -> str:
    """One line of text, for every program that opens the file."""
    # Server texts have line breaks, which many programs take for the end of a row.
    text = " ".join(text.split())
    return f"'{text}" if text.startswith(FORMULA) else text


def _iso(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
