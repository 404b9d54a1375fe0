"""A form that submits a task: any that the workers know, or one like a task that there is, edited."""

from __future__ import annotations

import shlex
from typing import Any, Final

from ...client.cli.bulk import TASKS
from ...client.cli.task_options import as_tags
from ...client.tasks.named import named
from ...common.contract.workers import WORKERS
from ...common.domain.ids import show_id
from ...common.domain.model import Role
from ...common.errors import DecodeError, Forbidden, InvalidArgument
from ...common.values.codec import decode_work
from ..calls import NOTHING, EditedCall, as_code, call_of, lines_of
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

NAMES_MAX: Final = 500  # suggested
NUMBERS: Final[dict[str, type[int] | type[float]]] = {
    "priority": int,
    "retries": int,
    "timeout": float,
    "delay": float,
}

FIELDS: Final = ("name", "args", "kwargs", "queue", "tags", *NUMBERS)


def submit(login: Login, asked: ViewRequest) -> ShownPage:
    _refuse_viewer(login)
    like = _row(login, asked.get("like"))
    id = "" if like is None else show_id(like["id"])
    filled = _filled(like) | {name: asked.get(name) for name in ("name",) if asked.get(name)}
    if login.draft.get("like") == id:
        filled, login.draft = {**filled, **login.draft}, {}
    names = sorted({name for row in login.app.call((WORKERS.name,), "list") for name in row["tasks"]})
    return ShownPage(
        title="Edit and submit again" if id else "Submit a task",
        template="submit.html",
        command=f"tq submit {shlex.quote(filled['name'] or 'MODULE:FUNCTION')} …",
        context={"like": id, "filled": filled, "names": names[:NAMES_MAX]},
    )


def _filled(like: dict[str, Any] | None) -> dict[str, str]:
    """What stands in the fields."""
    if like is None:
        return dict.fromkeys(FIELDS, "")
    args, kwargs = lines_of(call_of_row(like))
    return {
        **dict.fromkeys(FIELDS, ""),
        **{name: str(value) for name, value in options_of(like).items()},
        "name": like["name"],
        "queue": like["queue"],
        "args": "\n".join(args),
        "kwargs": "\n".join(kwargs),
        "tags": shlex.join(f"{tag}={text}" for tag, text in like["tags"].items()),
    }


def _refuse_viewer(login: Login) -> None:
    if not login.may(Role.CLIENT):
        raise Forbidden(f"this key is a {login.role} key and cannot submit tasks")


def send(login: Login, asked: ViewRequest) -> Done:
    """Raises InvalidArgument for a field that cannot be, which stands with its name."""
    _refuse_viewer(login)
    login.draft = {field: asked.query.get(field, "") for field in (*FIELDS, "like")}
    like = _row(login, asked.get("like"))
    name = asked.get("name")
    if like is not None and name != like["name"]:
        like = None  # what is hidden of one task is no argument of another callable
    call = call_of(asked.get("args"), asked.get("kwargs"), call_of_row(like))
    options: dict[str, Any] = {
        field: _number(field, asked.get(field)) for field in NUMBERS if asked.get(field)
    }
    if queue := asked.get("queue"):
        options["queue"] = queue
    if tags := as_tags(_words(asked.get("tags"))):
        options["tags"] = tags
    handle = login.app.named(name, **options).submit(*call.args, **call.kwargs)
    login.draft = {}
    return Done(note=f"{name} is submitted", to=f"/tasks/{handle.id}")


def options_of(row: dict[str, Any]) -> dict[str, Any]:
    """What a task was submitted with that differs from what is usual, as far as its row says."""
    found = {name: row[name] for name in ("priority", "retries", "timeout") if row[name]}
    return {name: int(value) if value == int(value) else value for name, value in found.items()}


def code_of(row: dict[str, Any]) -> str:
    """The submit of a task as Python."""
    options = {"queue": row["queue"], **options_of(row)}
    return as_code(row["name"], call_of_row(row), options | ({"tags": row["tags"]} if row["tags"] else {}))


def call_of_row(row: dict[str, Any] | None) -> EditedCall:
    if row is None:
        return NOTHING
    try:
        args, kwargs, _ = decode_work(row["payload"], as_is=True)
    except DecodeError as error:
        raise InvalidArgument(f"its arguments cannot be read here: {error}") from None
    return EditedCall(args, kwargs)


def _row(login: Login, text: str) -> dict[str, Any] | None:
    if not text:
        return None
    meant = named(login.app.session, text)
    if meant.is_array:
        raise InvalidArgument(f"{text} is an array: open one of its tasks")
    row: dict[str, Any] = login.app.call(TASKS, "show", meant.ids.first)
    return row


def _number(field: str, text: str) -> float | int:
    try:
        return NUMBERS[field](text)
    except ValueError:
        raise InvalidArgument(f"{field}={text!r:.40} is no number") from None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidArgument(f"tags={text!r:.80}: {error}; write order=4711 'note=two words'") from None
