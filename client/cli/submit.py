"""``tq submit`` and ``tq result``"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from ...common.domain.ids import parse_id
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.runtime.terminal import say, write, write_exact, write_json
from ...common.values.blob import Blob
from ..app import App
from ..tasks.handle import Handle
from ..tasks.stalls import StallQuestions
from .failing import INTERRUPTED
from .options import connected
from .output import plain, print_json
from .task_options import given_options


@click.command(epilog="Example: tq submit jobs:thumb '\"http://…\"' --kw size=256 --wait")
@click.argument("task", metavar="MODULE:FUNCTION")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@click.option("--kw", "keywords", multiple=True, metavar="NAME=JSON", help="A keyword argument.")
@click.option("--queue", metavar="NAME", help="Its queue.  [default]")
@click.option("--delay", type=float, metavar="SECONDS", help="Start no earlier than after this time.")
@click.option("--priority", type=int, metavar="N", help="Higher first, -100 to 100.  [0]")
@click.option("--retries", type=int, metavar="N", help="Further attempts after a failure.  [0]")
@click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one attempt.")
@click.option("--needs", multiple=True, metavar="NAME=AMOUNT", help="Of its worker: gpu=0.5, mem=4G.")
@click.option("--where", metavar="CONDITION", help="On its worker's labels: 'zone=eu'.")
@click.option("--key", metavar="TEXT", help="Unique: submitting the key again returns the same task.")
@click.option(
    "--tag", "tags", multiple=True, metavar="NAME=TEXT", help="A tag, for tq ls --where; repeatable."
)
@click.option("--tenant", hidden=True, metavar="NAME", help="Whose turn it takes, or '{argument}'.")
@click.option(
    "--limit", "limits", multiple=True, hidden=True, metavar="TEXT", help="'api max_running=2 by={customer}'."
)
@click.option(
    "--deadline", hidden=True, metavar="TIME", help="Ended by then; the earliest starts first: 30s."
)
@click.option("--wait", is_flag=True, help="Wait for the result and print it.")
@connected(Role.CLIENT)
def submit(
    app: App,
    as_json: bool,
    task: str,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    wait: bool,
    key: str | None,
    tags: tuple[str, ...],
    needs: tuple[str, ...],
    where: str | None,
    tenant: str | None,
    limits: tuple[str, ...],
    deadline: str | None,
    **options: Any,
) -> None:
    """Submit a task by name. Arguments are JSON, or a bare word as text.

    What @app.task says is unknown here; also --limit, --tenant, --deadline.
    """
    positional = [as_argument(text) for text in arguments]
    named = as_keywords(keywords)
    given = {name: value for name, value in options.items() if value is not None}
    given |= given_options(
        needs=needs, where=where, tenant=tenant, limits=limits, tags=tags, deadline=deadline
    )
    submitter = app.named(task).using(**given) if given else app.named(task)
    if key is not None:
        submitter = submitter.using(key=key)
    handle = submitter.submit(*positional, **named)
    if wait:
        _print_result(app, handle, None, as_json)
        return
    if as_json:
        print_json({"id": handle.id})
    else:
        write(handle.id + "\n")
    if words := app.session.part(StallQuestions).complaint_now(parse_id(handle.id)):
        say(f"tq: {words}")  # it is stored all the same, and runs when such a worker comes


@click.command(epilog="Example: tq result 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b --timeout 60")
@click.argument("task_id", metavar="ID")
@click.option("--timeout", type=float, metavar="SECONDS", help="Wait at most.  [no limit]")
@connected(Role.CLIENT)
def result(app: App, as_json: bool, task_id: str, timeout: float | None) -> None:
    """Print a task's result, waiting for it. A failed task's traceback goes to stderr, exit status 1."""
    _print_result(app, app.get(task_id), timeout, as_json)


def _print_result(app: App, handle: Handle[Any], timeout: float | None, as_json: bool) -> None:
    # In place of the log, which a command does not show.
    app.session.part(StallQuestions).warn = lambda words: say(f"tq: {words}")
    try:
        error = handle.exception(timeout)
    except KeyboardInterrupt:
        say(
            f"tq: waiting ended; task {handle.id} goes on: `tq result {handle.id}` waits again, "
            f"`tq cancel {handle.id}` cancels it"
        )
        raise SystemExit(INTERRUPTED) from None
    if error is not None:
        if error.traceback:
            say(error.traceback.rstrip())
        raise error
    value = handle.result()
    if as_json:
        print_json({"id": handle.id, "result": value})
    # As it is: `tq result ID > picture.png` must give the file.
    elif isinstance(value, bytes):
        write_exact(value)
    # In pieces: it may be larger than memory.
    elif isinstance(value, Blob):
        value.stream(write_exact)
    elif isinstance(value, str):
        write_exact(value + "\n")
    else:
        write_json(plain(value), default=str)


def as_keywords(keywords: Iterable[str]) -> dict[str, Any]:
    """What ``--kw`` names."""
    named: dict[str, Any] = {}
    for keyword in keywords:
        name, equals, text = keyword.partition("=")
        if not equals or not name.isidentifier():
            raise InvalidArgument(f"--kw {keyword!r}: write --kw name=JSON")
        named[name] = as_argument(text)
    return named


def as_argument(text: str, hint: str = "quote it for the shell: '[1, 2]'") -> Any:
    """JSON, or a bare word as text. ``hint``: what to do about what is meant as JSON and is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        # It was meant as JSON: taken as text, the function would get a string where it expects a list.
        if text.startswith(("{", "[", '"')):
            raise InvalidArgument(f"{text!r:.80} is not JSON; {hint}") from None
        return text
