"""The output for people: problems, the first message, the question, a bar, the outcome. All text is made safe for a
terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ....common.runtime.cleaning import clean_line
from ....common.runtime.terminal import console, say, write
from ..output import print_table
from .checking import MailPlan
from .letter import Message
from .outcomes import DeliveryStatus, EndedMessage

if TYPE_CHECKING:
    from rich.progress import Progress

PROBLEMS_SHOWN: Final = 20
FAILURES_SHOWN: Final = 5
SAID_CHARS_MAX: Final = 120
LINES_BESIDES: Final = 8  # of a screen, for what stands around the preview
REFRESH_SECONDS: Final = 0.1


def tell_problems(plan: MailPlan, file: str) -> None:
    for problem in plan.problems[:PROBLEMS_SHOWN]:
        say(f"{file}, line {problem.line}: {problem.text}")
    more = len(plan.problems) - PROBLEMS_SHOWN
    if more > 0:
        say(f"and {more:,} more problems")
    for warning in plan.warnings:
        say(f"note: {warning}")


def preview(message: Message, sizes: Sequence[tuple[str, int]]) -> str:
    """Headers and text, cut to the screen."""
    columns, lines = shutil.get_terminal_size()
    headers = {"From": message.sender, "To": message.to, "Subject": message.subject, **message.headers}
    shown = [f"{name}: {value}" for name, value in headers.items()]
    shown += [f"Attached: {name} ({size_text(size)})" for name, size in sizes]
    if message.html is not None:
        shown.append(f"Also as HTML: {len(message.html):,} characters")
    text = ["", *message.text.rstrip().splitlines()]
    # The question below it must stay on the screen.
    room = max(3, lines - LINES_BESIDES - len(shown))
    if len(text) > room:
        text = [*text[: room - 1], f"… {len(text) - room + 1:,} more lines"]
    return "\n".join(_cut(clean_line(line), columns) for line in [*shown, *text])


def _cut(line: str, columns: int) -> str:
    return line if len(line) < columns else line[: columns - 2] + "…"


def size_text(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1_000:
            return f"{size:.0f} {unit}"
        size /= 1_000
    return f"{size:,.1f} GB"


def messages(count: int) -> str:
    return f"{count:,} message{'s' if count != 1 else ''}"


def domains(count: int) -> str:
    return f"{count:,} domain{'s' if count != 1 else ''}"


class Tally:
    """Counts outcomes, keeps some failures, and shows the progress. The report gets every row."""

    def __init__(self, bar: SendingBar | None) -> None:
        self.counts = dict.fromkeys(DeliveryStatus, 0)
        self.unsent: list[EndedMessage] = []
        self.report: Any = None
        self._bar = bar

    def ended(self, rows: Sequence[EndedMessage]) -> None:
        if rows and self.report is not None:
            self.report.append(rows)
        for row in rows:
            self.counts[row.state] += 1
            if (
                row.state not in (DeliveryStatus.SENT, DeliveryStatus.CANCELLED)
                and len(self.unsent) < FAILURES_SHOWN
            ):
                self.unsent.append(row)

    def progress(self, ended: int, put_off: int) -> None:
        if self._bar is not None:
            self._bar.show(ended, self.counts, put_off)

    def complain(self, text: str) -> None:
        if self._bar is not None:
            self._bar.complain(text)
        else:
            say(f"tq: {text}")


class SendingBar:
    """On a terminal."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("mail", total=total, counts="")
        self._shown_at, self._began = 0.0, time.monotonic()

    def show(self, ended: int, counts: dict[DeliveryStatus, int], put_off: int) -> None:
        now = time.monotonic()
        if now - self._shown_at < REFRESH_SECONDS:
            return
        self._shown_at = now
        rate = ended / max(now - self._began, 0.001)
        unsent = ended - counts[DeliveryStatus.SENT]
        words = [f"{ended:,}", f"{rate:,.0f}/s", f"{unsent:,} not sent" if unsent else ""]
        words.append(f"{put_off:,} put off" if put_off else "")
        self._progress.update(self._task, completed=ended, counts="  ".join(filter(None, words)))

    def complain(self, text: str) -> None:
        self._progress.console.print(f"tq: {text}", markup=False, soft_wrap=True)


@contextmanager
def tally(total: int, *, quiet: bool) -> Iterator[Tally]:
    if quiet or not sys.stderr.isatty():
        yield Tally(None)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(compact=True),
    )
    screen = console(stderr=True)
    with Progress(*columns, console=screen, refresh_per_second=1 / REFRESH_SECONDS, expand=True) as progress:
        yield Tally(SendingBar(progress, total))


WORDS: Final = {
    DeliveryStatus.SENT: "the server took it",
    DeliveryStatus.DEFERRED: "refused for now, at every attempt (4xx or no connection)",
    DeliveryStatus.BOUNCED: "refused for good (5xx)",
    DeliveryStatus.FAILED: "no server was asked, or its worker failed",
    DeliveryStatus.CANCELLED: "stopped before it was begun",
}


def print_outcome(tally: Tally, not_begun: int) -> None:
    rows = [(str(status), f"{count:,}", WORDS[status]) for status, count in tally.counts.items() if count]
    if not_begun:
        rows.append(("not begun", f"{not_begun:,}", "waited for their turn"))
    print_table(("state", "#messages", ""), rows, empty="no messages")
    if tally.unsent:
        shown = [
            (row.email, row.state, row.smtp_code, clean_line(row.smtp_text)[:SAID_CHARS_MAX])
            for row in tally.unsent
        ]
        write("\n")
        print_table(("email", "state", "code", "what was said"), shown, empty="")
        more = sum(
            tally.counts[status]
            for status in (DeliveryStatus.DEFERRED, DeliveryStatus.BOUNCED, DeliveryStatus.FAILED)
        ) - len(shown)
        if more:
            has = "the report has them all" if tally.report is not None else "--report FILE lists all"
            write(f"and {more:,} more; {has}\n")
