"""The common part of ``tq map`` and ``tq exec``: ``:::``, options, the place of the journal, exit statuses."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from ....common.domain.ids import new_ids
from ....common.domain.shards import id_in
from ....common.errors import InvalidArgument, TqError
from ....common.runtime.garbage import freeze_loaded
from ....common.runtime.terminal import say
from ...app import App
from ...tasks.options import Choice
from .. import failing
from .items import InputFormat, Item
from .journal import Journal
from .output import Output
from .printing import Printer
from .results import Counts
from .run import Ending, Run
from .screen import screen
from .source import STDIN, Source
from .stopping import Wakeup
from .submission import ItemSubmission

ARGUMENTS, FILES = ":::", "::::"
ALL_ITEMS: Final = "--"  # behind one of both: all that follows are items, or files
ITEMS_SHOWN: Final = 3  # of a line that is to be written otherwise
DIED_OF: Final = 128  # plus the signal, as shells have it
SIGPIPE: Final = 13

_F = TypeVar("_F", bound=Callable[..., Any])


class FanoutCommand(click.Command):
    """Cuts off ``::: items`` or ``:::: files`` before the options are read: an item may begin with a dash. One that is an option of the
    command stands in the wrong place, unless ``::: --`` says that all that follow are items."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["tq.arguments"] = list(args)
        places = [index for index, word in enumerate(args) if word in (ARGUMENTS, FILES)]
        if places:
            args, kind, items = args[: places[0]], args[places[0]], args[places[0] + 1 :]
            if len(places) > 1:
                raise click.UsageError(
                    "one ::: or :::: only; combinations are made by a program or a shell loop"
                )
            if items[:1] == [ALL_ITEMS]:
                items = items[1:]
            else:
                self._check_items(ctx, args, kind, items)
            ctx.meta["tq.items" if kind == ARGUMENTS else "tq.files"] = items
        # Otherwise click refuses them in its words, before the helpful ones below.
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if ctx.args:
            line = shlex.join(["tq", str(ctx.info_name), str(ctx.params["task"]), ARGUMENTS, *ctx.args])
            raise click.UsageError(
                f"unexpected argument {ctx.args[0]!r}; items are lines of standard input, or arguments as in: {line}",
                ctx,
            )
        return rest

    def _check_items(self, ctx: click.Context, args: list[str], kind: str, items: list[str]) -> None:
        options = {name: one for one in self.get_params(ctx) for name in (*one.opts, *one.secondary_opts)}
        moved, others, found = list[str](), list[str](), ""
        left = iter(items)
        for item in left:
            name, equals, _ = item.partition("=")
            option = options.get(name) if item.startswith("-") else None
            if not isinstance(option, click.Option) or (equals and option.is_flag):
                others.append(item)
                continue
            found = found or name
            moved.append(item)
            if not equals and not option.is_flag and (value := next(left, None)) is not None:
                moved.append(value)
        if found:
            shown = [*others[:ITEMS_SHOWN], *(["…"] if len(others) > ITEMS_SHOWN else [])]
            line = shlex.join(["tq", str(ctx.info_name), *moved, *args, kind])
            raise click.UsageError(
                f"{found} behind {kind} would be an item; options stand in front: {line} {' '.join(map(_quoted, shown))}".rstrip()
                + f"\nIf it is meant as an item: {kind} {ALL_ITEMS} {shlex.quote(found)} …",
                ctx,
            )


def _quoted(item: str) -> str:
    return item if item == "…" else shlex.quote(item)


def shared_options(function: _F) -> _F:
    """Those of both commands, in the order of the help."""
    options = (
        click.option("--null", is_flag=True, hidden=True, help="Items end with a zero byte."),
        click.option("--retries", type=int, metavar="N", help="Further attempts at an item that fails.  [0]"),
        click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one attempt at an item."),
        click.option("--queue", metavar="NAME", help="Where the tasks wait.  [default]"),
        click.option(
            "--priority", type=int, metavar="N", hidden=True, help="Higher first, -100 to 100.  [0]"
        ),
        click.option(
            "--limit",
            "limits",
            multiple=True,
            hidden=True,
            metavar="TEXT",
            help="'api max_running=2 by={host}'.",
        ),
        click.option("--tenant", hidden=True, metavar="NAME", help="Whose turn they take, or '{host}'."),
        click.option("--deadline", hidden=True, metavar="TIME", help="Each ended by then: 30s."),
        click.option(
            "--needs", multiple=True, hidden=True, metavar="NAME=AMOUNT", help="Of their worker: gpu=1."
        ),
        click.option(
            "--where", hidden=True, metavar="CONDITION", help="On their worker's labels: 'zone=eu'."
        ),
        click.option(
            "--max-failures", type=click.IntRange(1), metavar="N", help="Stop at this many failures."
        ),
        click.option("--keep-going", is_flag=True, hidden=True, help="Ignore failures.  [default]"),
        click.option(
            "--journal", type=click.Path(path_type=Path), metavar="FILE", help="Record finished items there."
        ),
        click.option(
            "--resume",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Continue that run (--retry-failed: also failed items).",
        ),
        click.option(
            "--retry-failed", is_flag=True, hidden=True, help="With --resume: run failed items again."
        ),
        click.option("--reprint", is_flag=True, hidden=True, help="Print again what an emptied output lost."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True, kw_only=True)
class MapJob:
    """What one of the commands wants done. ``what``: that by which a journal knows the run."""

    command: str
    task: str
    choice: Choice
    form: InputFormat
    printer: Printer
    ordered: bool
    what: Mapping[str, Any]
    call_of: Callable[[Item], Item]


def item_word() -> str:
    """What a complaint calls an item."""
    context = click.get_current_context()
    if "tq.items" in context.meta:
        return "argument"
    return "item" if context.params.get("null") else "line"


def run_job(
    app: App,
    job: MapJob,
    *,
    max_failures: int | None,
    keep_going: bool,
    journal: Path | None,
    resume: Path | None,
    retry_failed: bool,
    reprint: bool,
) -> None:
    """Do it, and end the program with the right status."""
    if keep_going and max_failures is not None:
        raise InvalidArgument("--keep-going and --max-failures exclude each other")
    if journal is not None and resume is not None:
        raise InvalidArgument("--resume FILE goes on writing FILE; leave --journal away")
    if resume is None and (retry_failed or reprint):
        raise InvalidArgument("--retry-failed and --reprint need --resume FILE")
    meta = click.get_current_context().meta
    source = Source(job.form, paths=meta.get("tq.files", [STDIN]), arguments=meta.get("tq.items"))
    output, wakeup = Output(), Wakeup()
    submission = ItemSubmission(app, job.task, job.choice, wakeup)

    def shard() -> int:
        return submission.ids.shard

    book = _journal(job, output, journal, resume, reprint=reprint, shard=shard)
    run = Run(
        source=source,
        submission=submission,
        journal=book,
        run_id=id_in(new_ids(), shard()) if book is None else book.run,
        output=output,
        printer=job.printer,
        wakeup=wakeup,
        ordered=job.ordered,
        max_failures=max_failures,
        retry_failed=retry_failed,
        resumed=resume is not None,
        call_of=job.call_of,
    )
    kept = journal is not None or (resume is not None and resume.parent != _own_place())
    freeze_loaded()
    try:
        with screen(job.task) as shown:
            ending = run.run(shown)
    # OSError: the output or the journal could not be written, as on a full disk.
    except (TqError, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, TqError):
            error = TqError(f"cannot go on: {error}; what was submitted does")
        if run.has_stored:
            _say_how_to_go_on(book)
        elif book is not None and not kept:
            book.remove()
        raise error from None
    finally:
        source.close()
    if book is not None:
        book.end(output.shown)
    # Nothing is left to go on with: `head` has what it wanted.
    if book is not None and not kept and ending in (Ending.COMPLETE, Ending.NO_READER):
        book.remove()
    if ending not in (Ending.COMPLETE, Ending.NO_READER):
        _tell(ending, run.counts, job.choice.queue)
        _say_how_to_go_on(book)
    elif ending is Ending.COMPLETE and run.counts.failed:
        _complain(f"{run.counts.failed:,} of {run.counts.done + run.counts.failed:,} failed")
    sys.exit(_status(ending, run))


def _journal(
    job: MapJob,
    output: Output,
    journal: Path | None,
    resume: Path | None,
    *,
    reprint: bool,
    shard: Callable[[], int],
) -> Journal | None:
    """The one asked for; else one of our own, so that every run can be gone on with."""
    if resume is None:
        if journal is not None:
            book = Journal.begin(journal, job.what, shard)
        else:
            try:
                book = Journal.begin(
                    _own_place() / f"{job.command}-{os.urandom(4).hex()}.journal", job.what, shard
                )
            except InvalidArgument:
                return None  # no place for state: then an interrupted run cannot be gone on with, and says so
    else:
        bytes_shown = output.size if reprint and output.is_file else None
        book = Journal.resume(resume, job.what, output.file, bytes_shown=bytes_shown, shard=shard)
        _fit(book, output)
    book.shows_in(output.file, output.size)
    return book


def _own_place() -> Path:
    """The place of automatic journals; they are removed when their run is complete."""
    import platformdirs

    return platformdirs.user_state_path("tq", appauthor=False)


def _fit(book: Journal, output: Output) -> None:
    """Make the output end where the journal ends."""
    finished = book.finished
    if output.file is None or finished.output != output.file:
        return
    if output.size < finished.shown:
        raise InvalidArgument(
            f"the output has {output.size:,} bytes, and the journal knows of {finished.shown:,}: was it emptied "
            "by `>`? Go on with `>>`; --reprint prints again what is missing, and what the master has forgotten "
            "by now is run again for that"
        )
    # It died between printing and noting: what was printed behind the journal's last line is printed again.
    if not finished.in_good_order:
        output.cut(finished.shown)


def _status(ending: Ending, run: Run) -> int:
    if ending is Ending.NO_READER:
        return DIED_OF + SIGPIPE
    if ending in (Ending.INTERRUPTED, Ending.LEFT):
        return DIED_OF + run.signal
    return failing.FAILED if run.counts.failed else 0


def _tell(ending: Ending, counts: Counts, queue: str) -> None:
    done = f"{counts.done:,} done, {counts.failed:,} failed"
    if ending is Ending.LEFT:
        _complain(f"left {counts.left:,} running in queue {queue}; {done}")
        return
    why = "too many failures" if ending is Ending.TOO_MANY_FAILURES else "interrupted"
    left = f", {counts.left:,} have not said that they ended" if counts.left else ""
    _complain(f"{why}: {done}, {counts.cancelled:,} cancelled{left}")


def _say_how_to_go_on(book: Journal | None) -> None:
    if book is None:
        _complain("there is no journal of this run (see --journal), so it cannot be gone on with")
        return
    context = click.get_current_context()
    words = _without(context.meta["tq.arguments"], ("--journal", "--resume"), ("--reprint",))
    line = shlex.join(["tq", str(context.info_name), "--resume", str(book.path), *words])
    reads_stdin = "tq.items" not in context.meta and STDIN in context.meta.get("tq.files", [STDIN])
    before = _file_of(0, "<") if reads_stdin else ""
    _complain(f"go on with: {line}{before}{_file_of(1, '>>')}")


def _without(words: list[str], valued: tuple[str, ...], flags: tuple[str, ...]) -> list[str]:
    """The arguments without some options."""
    kept: list[str] = []
    skip = False
    for index, word in enumerate(words):
        if word in (ARGUMENTS, FILES):
            return kept + words[index:]
        if not skip and word not in valued and word not in flags and word.partition("=")[0] not in valued:
            kept.append(word)
        skip = not skip and word in valued
    return kept


def _file_of(descriptor: int, sign: str) -> str:
    """The redirection of a descriptor, if it is of a file whose name can be known."""
    try:
        # A pipe cannot be named in a command.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return f" {sign} {shlex.quote(os.readlink(f'/proc/self/fd/{descriptor}'))}"
    except OSError:
        pass  # no /proc: the person knows where it went
    return ""


def _complain(text: str) -> None:
    say(f"tq: {text}")
