"""What a filter that is being typed can go on with, and where it is wrong: for the field above the list of tasks, and that of a strike.

The values are those that there are: queues, callables, tags and types of errors of what was submitted and failed of late, tenants, workers
and their hosts. They are asked for once in a while, however much is typed, and of no more than KNOWN_LINES.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ..client.app import App
from ..client.cli.causes import causes
from ..client.cli.lines import LineReader
from ..client.cli.where import TAG, split, to_filter
from ..client.cli.where_hints import Known, hints
from ..client.cli.where_words import WrongFilter
from ..common.contract.limits import LIMITS
from ..common.contract.observe import MASTER
from ..common.contract.tenants import TENANTS
from ..common.contract.workers import WORKERS
from ..common.domain.strikes import LIMIT
from ..common.domain.tags import ARGUMENT
from ..common.domain.where import Term
from ..common.errors import TqError
from .connecting import ANSWER_SECONDS
from .logins import Login
from .views.failures import OUTCOME
from .views.limits import listed

FILTER_CHARS_MAX: Final = 2_000  # what is longer was not typed
KNOWN_LINES: Final = 300  # the newest arrays and tasks
KNOWN_SECONDS: Final = 10.0  # for so long what is known serves all that a log-in types
READ_SECONDS: Final = 0.1
VALUES_MAX: Final = 500  # of one word
QUOTES: Final = frozenset("\"'\\")  # a condition has no way to write a value with these
COMPARISONS_MAX: Final = 50  # of one word, in a list that is not looked through by typing alone
NODE_CHARS: Final = 8  # of a worker's id, as `tq workers` lists it


async def strike_hints(request: Request, login: Login) -> Response:
    """Comparisons with what there is, for the condition of a strike."""
    try:
        return JSONResponse(await run_in_threadpool(comparisons, login))
    except (TqError, TimeoutError) as error:  # one types on without
        return PlainTextResponse(f"{error}\n", 503)


def comparisons(login: Login) -> list[str]:
    known = _known(login)
    limits = [f"{LIMIT}{row['name']}=" for row in listed(login.app, LIMITS.name, "", VALUES_MAX)]
    # Tags as filters name them, which is as strikes do.
    of_tasks = sorted(word for word in known if word.startswith((ARGUMENT, TAG)))
    found = [
        str(Term(word, (value,)))
        for word, values in (
            ("task", "name"),
            ("queue", "queue"),
            ("tenant", "tenant"),
            *((word, word) for word in of_tasks),
        )
        for value in list(known.get(values, ()))[:COMPARISONS_MAX]
        if value.isprintable() and not QUOTES & set(value)
    ]
    return found + limits


def _known(login: Login) -> Known:
    return login.recent("filters", KNOWN_SECONDS, lambda: _read(login.app))


async def filter_hints(request: Request, login: Login) -> Response:
    """``text``: the filter; ``at``: the cursor, in characters."""
    text, at = request.query_params.get("text", ""), request.query_params.get("at", "")
    if len(text) > FILTER_CHARS_MAX or not at.isascii() or not at.isdigit() or int(at[:9]) > len(text):
        return PlainTextResponse(
            f"text has at most {FILTER_CHARS_MAX:,} characters, and at is a place in it\n", 400
        )
    try:
        return JSONResponse(await run_in_threadpool(hinted, login, text, int(at[:9])))
    except (TqError, TimeoutError) as error:  # one types on without
        return PlainTextResponse(f"{error}\n", 503)


def hinted(login: Login, text: str, at: int) -> dict[str, Any]:
    found = hints(text, at, _known(login))
    return {
        "start": found.start,
        "stop": found.stop,
        "hints": [one._asdict() for one in found.hints],
        "wrong": _wrong(text, found.start, found.stop),
    }


def _wrong(text: str, start: int, stop: int) -> dict[str, Any] | None:
    """What is wrong with it, but for the word that is being typed: that is not finished."""
    others = text[:start] + " " * (stop - start) + text[stop:]
    try:
        to_filter(split(others), time.time())
    except WrongFilter as wrong:
        if wrong.place is not None:
            return {"reason": wrong.reason, "start": wrong.place.start, "stop": wrong.place.stop}
    return None


def _read(app: App) -> Known:
    """In the order in which they are offered: what was seen last first."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for line in LineReader(app, {}, ANSWER_SECONDS).read(KNOWN_LINES, seconds=READ_SECONDS):
        found["queue"][line["queue"]] = None
        found["name"][line["name"]] = None
        for tag, value in line.get("tags", {}).items():
            found[tag if tag.startswith(ARGUMENT) else TAG + tag][value] = None
        for tag, texts in line.get("index", {}).items():  # of a map
            found[tag].update(dict.fromkeys(texts))
    for row in causes(app):
        found["name"][row.name] = None
        if not row.kind.startswith(OUTCOME):
            found["error"][row.kind] = None
    for queue in app.call((MASTER.name,), "snapshot")["queues"]:
        found["queue"][queue["name"]] = None
    for tenant in listed(app, TENANTS.name, None, VALUES_MAX):
        if tenant["name"]:
            found["tenant"][tenant["name"]] = None
    workers = sorted(listed(app, WORKERS.name), key=_last_seen)
    found["host"].update(dict.fromkeys(str(row["host"]) for row in workers))
    known: dict[str, Iterable[str]] = {
        word: list(values)[:VALUES_MAX] for word, values in found.items() if values
    }
    return {**known, "worker": {row["node"][:NODE_CHARS]: row["host"] for row in workers[:VALUES_MAX]}}


def _last_seen(row: dict[str, Any]) -> tuple[bool, float]:
    """Connected ones first, then those that went last."""
    return not row["connected"], -row["last_seen"]
