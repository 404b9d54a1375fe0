"""``tq mail``: reads and checks everything, shows the first message, asks, sends, and reports each outcome."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from ....common.domain.model import Role
from ....common.errors import InvalidArgument, TqError
from ....common.runtime.terminal import ask, say, write
from ...app import App
from ...tasks.options import choose
from .. import failing
from ..options import connected
from ..output import print_json
from . import screen
from .addresses import sameness
from .checking import MailPlan, check
from .files import Attachments, as_eml, read_bytes, read_template
from .letter import Letter, Mailbox, TemplatePart, as_html, split_template, unsubscribing
from .outcomes import DeliveryStatus
from .report import MailReport
from .sending import TASK, Sending
from .server import server_url
from .table import read_table

FILE: Final = click.Path(path_type=Path)
# As tq.tasks.mail has them, for a server that says "later": eight tries over two hours.
OPTIONS: Final[dict[str, Any]] = {
    "queue": "mail",
    "retries": 8,
    "backoff": 15,
    "backoff_max": 3600,
    "timeout": 300,
}


@click.command("mail", epilog="Example: tq mail --template invoice.txt --dry-run recipients.csv")
@click.argument("recipients", type=FILE, metavar="RECIPIENTS.CSV")
@click.option(
    "--template", type=FILE, required=True, metavar="FILE", help="Subject: …, empty line, text with $columns."
)
@click.option("--html", type=FILE, metavar="FILE", help="The same as HTML, beside the text.")
@click.option("--attach", multiple=True, metavar="FILE", help="Also 'bills/$id.pdf'; repeatable.")
@click.option("--from", "sender", metavar="ADDRESS", help="'Name <address>', if not in the template.")
@click.option("--subject", metavar="TEXT", help="If not in the template.")
@click.option("--smtp", metavar="HOST[:PORT]", help="As the workers see it.  [their TQ_SMTP_URL]")
@click.option(
    "--per-domain", type=click.IntRange(0), default=20, metavar="N", help="At once to a domain, 0: any.  [20]"
)
@click.option("--campaign", metavar="NAME", help="One message per address.  [by the templates]")
@click.option("--report", type=FILE, metavar="FILE", help="CSV: the outcome of each message.")
@click.option("--resume", type=FILE, metavar="FILE", help="Continue that report.")
@click.option("--skip-bad", is_flag=True, help="Send to the rows without problems.")
@click.option("--dry-run", is_flag=True, help="Check and make all, send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--out", type=FILE, hidden=True, help="With --dry-run: a directory for .eml files.")
@click.option("--unsubscribe", hidden=True, help="List-Unsubscribe: an https or mailto URL with $columns.")
@click.option("--delimiter", hidden=True, help="Between the fields of the CSV.  [found by its header]")
@click.option("--encoding", hidden=True, help="Of the CSV.  [utf-8, or by its byte order mark]")
@click.option(
    "--retry-failed", is_flag=True, hidden=True, help="Again what was deferred or failed; what bounced stays."
)
@click.option("--retries", type=int, hidden=True, help="Further attempts after a 4xx.  [8]")
@click.option("--backoff", type=float, hidden=True, help="Seconds before the first; doubles.  [15]")
@click.option("--queue", hidden=True, help="Where the tasks wait.  [mail]")
@connected(Role.CLIENT)
def mail(
    app: App,
    as_json: bool,
    recipients: Path,
    template: Path,
    html: Path | None,
    attach: tuple[str, ...],
    sender: str | None,
    subject: str | None,
    unsubscribe: str | None,
    smtp: str | None,
    campaign: str | None,
    delimiter: str | None,
    encoding: str | None,
    skip_bad: bool,
    dry_run: bool,
    out: Path | None,
    **how: Any,
) -> None:
    """Send a letter to all in a CSV file, by tq.tasks.mail on the workers."""
    if delimiter is not None and len(delimiter) != 1:
        raise InvalidArgument(f"--delimiter {delimiter!r:.20} must be one character")
    if out is not None and not dry_run:
        raise InvalidArgument("--out needs --dry-run: nothing is sent from there")
    server = None if smtp is None else server_url(smtp)
    letter, digest = make_letter(template, html, attach, sender, subject, unsubscribe)
    attachments = Attachments()
    try:
        table = read_table(read_bytes(recipients, "the recipients"), encoding=encoding, delimiter=delimiter)
    except InvalidArgument as error:
        raise InvalidArgument(f"{recipients}: {error}") from None
    plan = check(letter, table, attachments.size_of)
    screen.tell_problems(plan, str(recipients))
    # All rows are checked before the first message: half a campaign cannot be taken back.
    if plan.problems and not (skip_bad and plan.recipients):
        raise InvalidArgument(_nothing_sent(plan))
    if not plan.recipients:
        raise InvalidArgument(f"{recipients} has no recipients below its header")
    if dry_run:
        _dry_run(plan, attachments, out, as_json=as_json)
        return
    _send(app, plan, attachments, server, campaign or digest, as_json=as_json, **how)


def make_letter(
    template: Path,
    html: Path | None,
    attach: tuple[str, ...],
    sender: str | None,
    subject: str | None,
    unsubscribe: str | None,
) -> tuple[Letter, str]:
    """The letter; and a name for it: another letter has another."""
    headers, text = split_template(read_template(template, "the template"), str(template))
    subject, sender = subject or headers.pop("subject", None), sender or headers.pop("from", None)
    to = headers.pop("to", "$email")
    # Given as options: those of the template are left out, not sent twice.
    for name in ("subject", "from"):
        headers.pop(name, None)
    if subject is None:
        raise InvalidArgument(
            f"there is no subject; begin {template} with 'Subject: …' and an empty line, or give --subject"
        )
    if sender is None:
        raise InvalidArgument(
            f"there is no sender; begin {template} with 'From: Name <address>', or give --from"
        )
    more = {name.title(): TemplatePart(value, f"{template}, {name}") for name, value in headers.items()}
    if unsubscribe is not None:
        more.update(unsubscribing(unsubscribe))
    html_text = None if html is None else read_template(html, "the HTML")
    letter = Letter(
        to=Mailbox(to, "To"),
        sender=Mailbox(sender, "From"),
        subject=TemplatePart(subject, "the subject"),
        text=TemplatePart(text, str(template)),
        html=None if html_text is None else as_html(html_text, str(html)),
        headers=more,
        attachments=tuple(TemplatePart(path, "--attach") for path in attach),
    )
    # All that a recipient sees: the same letter to the same address is sent once.
    whole = repr((subject, sender, to, sorted(headers.items()), text, html_text, attach, unsubscribe))
    return letter, hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _nothing_sent(plan: MailPlan) -> str:
    count = len(plan.problems)
    text = f"{count:,} problem{'s' if count != 1 else ''}, so nothing is sent"
    if plan.recipients:
        text += f"; mend the file, or leave those rows out by --skip-bad ({screen.messages(len(plan.recipients))} would go)"
    return text


def _dry_run(plan: MailPlan, attachments: Attachments, out: Path | None, *, as_json: bool) -> None:
    total = largest = 0
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for recipient in plan.recipients:
        message = plan.message(recipient)
        data = as_eml(message, attachments.read(message))
        total, largest = total + len(data), max(largest, len(data))
        if out is not None:
            # An address is text of others: no path may be made of it.
            safe = "".join(one if one.isalnum() or one in "@.-_+" else "_" for one in recipient.address)
            (out / f"{recipient.row.line:06}-{safe}.eml").write_bytes(data)
    facts = {
        "messages": len(plan.recipients),
        "domains": plan.domains,
        "bytes": total,
        "largest_bytes": largest,
        "skipped": len(plan.problems),
    }
    if as_json:
        print_json(facts)
        return
    _show_first(plan, attachments)
    words = f"{screen.messages(len(plan.recipients))} to {screen.domains(plan.domains)}"
    sizes = f"{screen.size_text(total)} in all, the largest {screen.size_text(largest)}"
    write(f"\nA dry run: {words}, {sizes}; nothing was sent\n")


def _show_first(plan: MailPlan, attachments: Attachments, number: int = 0) -> None:
    message = plan.message(plan.recipients[number])
    sizes = [(Path(path).name, attachments.size_of(path)) for path in message.attachments]
    write(screen.preview(message, sizes) + "\n")


def _send(
    app: App,
    plan: MailPlan,
    attachments: Attachments,
    server: str | None,
    campaign: str,
    *,
    as_json: bool,
    yes: bool,
    report: Path | None,
    resume: Path | None,
    per_domain: int,
    retry_failed: bool,
    **options: Any,
) -> None:
    if report is not None and resume is not None:
        raise InvalidArgument("--resume FILE goes on writing FILE; leave --report away")
    if not yes and not sys.stdin.isatty():
        raise InvalidArgument("this is no terminal, so it cannot ask; check with --dry-run, then give --yes")
    choice = choose(OPTIONS | {name: value for name, value in options.items() if value is not None})
    with _report(report, resume) as book:
        served = 0
        if book is not None and book.served:
            total = len(plan.recipients)
            plan.recipients = [one for one in plan.recipients if sameness(one.address) not in book.served]
            served = total - len(plan.recipients)
        if not plan.recipients:
            write(f"the report says that all {screen.messages(served)} ended; nothing is left to do\n")
            return
        sending = Sending(
            app,
            plan,
            campaign=campaign,
            choice=choice,
            attachments=attachments,
            server=server,
            per_domain=per_domain,
            retry_failed=retry_failed,
        )
        _ask(app, plan, sending, attachments, choice.queue, yes=yes, as_json=as_json)
        with screen.tally(len(plan.recipients), quiet=as_json) as tally:
            tally.report = book
            try:
                complete = sending.run(tally)
            except TqError as error:
                raise type(error)(
                    f"{error} (what was handed over goes on; run the same command again)"
                ) from None
    _tell(tally, len(plan.recipients), complete, campaign, served, as_json=as_json)


@contextmanager
def _report(report: Path | None, resume: Path | None) -> Iterator[MailReport | None]:
    path = report or resume
    if path is None:
        yield None
        return
    book = MailReport(path, resumed=resume is not None)
    try:
        yield book
    finally:
        book.close()


def _ask(
    app: App,
    plan: MailPlan,
    sending: Sending,
    attachments: Attachments,
    queue: str,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Show what will happen and ask; exit if the answer is no."""
    serving, connected_ = app.call(("get_workers",), "serving", queue, TASK)
    if not serving:
        say(
            f"note: none of {connected_} connected workers sends mail, so messages wait; start one: "
            "TQ_SMTP_URL=… tq-worker --connect … tq.tasks.mail"
        )
    total, known = len(plan.recipients), sending.known
    if known:
        say(
            f"note: {known:,} of {total:,} were handed over before and are not sent again (--campaign NAME would)"
        )
    if yes or as_json:
        return
    if total > known:
        _show_first(plan, attachments, sending.first)
        say()
        question = f"Send {screen.messages(total - known)} to {screen.domains(plan.domains)}?"
        if not ask(question):
            say("nothing was sent")
            raise SystemExit(failing.FAILED)


def _tell(
    tally: screen.Tally, total: int, complete: bool, campaign: str, served: int, *, as_json: bool
) -> None:
    ended = sum(tally.counts.values())
    left = total - ended
    if as_json:
        counts: Mapping[str, int] = {str(status): count for status, count in tally.counts.items()}
        print_json({"campaign": campaign, **counts, "not_begun": left, "served_before": served})
    else:
        screen.print_outcome(tally, left)
    if not complete:
        say("tq: stopped; the same command again sends the rest, and no message twice")
        raise SystemExit(failing.INTERRUPTED)
    again = tally.counts[DeliveryStatus.DEFERRED] + tally.counts[DeliveryStatus.FAILED]
    if again and not as_json:
        say(f"tq: the same command with --retry-failed tries the {again:,} deferred or failed again")
    if ended > tally.counts[DeliveryStatus.SENT]:
        raise SystemExit(failing.FAILED)
