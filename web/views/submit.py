"""A form that submits a task: any that the workers know, or one like a task that there is, edited."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...client.cli.bulk import TASKS
from ...client.cli.redact import is_secret
from ...client.cli.signatures import TaskSignature, signatures
from ...client.tasks.named import named
from ...common.contract.workers import WORKERS
from ...common.domain.ids import show_id
from ...common.domain.model import Role
from ...common.domain.tags import ARGUMENT
from ...common.errors import DecodeError, Forbidden, InvalidArgument, TaskConflict, TqError
from ...common.values.codec import decode_work
from ..calls import NOTHING, EditedCall, as_code, call_of, lines_of
from ..fields import PREFIX, Field, all_of, by_parameter, fields_of
from ..filled_in import call_of_fields, parameter_of
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

SUBMITTED_TERMS: Final = ("tenant", "needs", "where", "delivery", "max_crashes", "result", "result_ttl")
NAMES_MAX: Final = 500  # suggested
NUMBERS: Final[dict[str, type[int] | type[float]]] = {
    "priority": int,
    "retries": int,
    "timeout": float,
    "delay": float,
}

LISTED_MAX: Final = 100  # with their signatures
JSON: Final = "json"  # arguments as lines of JSON, whatever is known of them
KEY: Final = "tq.page:"  # before the key of a form: no one else's
ONCE_BYTES: Final = 16  # of the key that each form has: sent twice, it is one task
ONCE: Final = re.compile(r"[\w-]{16,64}", re.ASCII)
FIELDS: Final = ("name", "as", "args", "kwargs", "queue", "tags", *NUMBERS)


def submit(login: Login, asked: ViewRequest) -> ShownPage:
    _refuse_viewer(login)
    like = _row(login, asked.get("like"))
    id = "" if like is None else show_id(like["id"])
    draft: Mapping[str, str] = {}
    if login.draft.get("like") == id:
        draft, login.draft = login.draft, {}
    filled = _filled(like) | {name: asked.get(name) for name in ("name", "as") if asked.get(name)}
    filled |= {name: draft[name] for name in FIELDS if name in draft}
    name = filled["name"]
    found = signatures(login.app, [name]).get(name) if name else None
    fields = _fields(found, like, draft) if found is not None and filled["as"] != JSON else None
    names = sorted({one for row in login.app.call((WORKERS.name,), "list") for one in row["tasks"]})
    known = [] if name else names[:LISTED_MAX]
    return ShownPage(
        title="Edit and submit again" if id else "Submit a task",
        template="submit.html",
        command=f"tq submit {shlex.quote(name or 'MODULE:FUNCTION')} …",
        context={
            "like": id,
            "filled": filled,
            "names": names[:NAMES_MAX],
            "known": [(one, _shown(said)) for one, said in _all_known(login, known).items()],
            "left_out": 0 if name else max(0, len(names) - LISTED_MAX),
            "fields": fields,
            "signature": found,
            "digest": _digest(found),
            "once": draft.get("once") or secrets.token_urlsafe(ONCE_BYTES),
            "as_json": JSON,
        },
    )


def _all_known(login: Login, names: Sequence[str]) -> dict[str, TaskSignature | None]:
    found = signatures(login.app, names)
    return {name: found.get(name) for name in names}


def _shown(signature: TaskSignature | None) -> str:
    return "" if signature is None else str(signature)


def _fields(
    found: TaskSignature, like: dict[str, Any] | None, draft: Mapping[str, str]
) -> list[Field] | None:
    """None: the call that it is to be like does not fit what the workers say, so it is shown as JSON."""
    there = None
    if like is not None and (there := by_parameter(found.rows, call_of_row(like))) is None:
        return None
    fields, wrong = fields_of(found.rows, there), parameter_of(draft.get("error", ""))
    for one in all_of(fields):
        one.value = draft.get(one.name, one.value)
        one.is_wrong = one.name.removeprefix(PREFIX).partition(".")[0] == wrong and one.kind != "group"
    return fields


def _digest(found: TaskSignature | None) -> str:
    return "" if found is None else hashlib.sha256(found.packed).hexdigest()[:16]


def _filled(like: dict[str, Any] | None) -> dict[str, str]:
    """What stands in the fields that every task has."""
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
        # That of an indexed argument would say what it was before it is edited.
        "tags": shlex.join(
            f"{tag}={text}" for tag, text in like["tags"].items() if not tag.startswith(ARGUMENT)
        ),
    }


def _refuse_viewer(login: Login) -> None:
    if not login.may(Role.CLIENT):
        raise Forbidden(f"this key is a {login.role} key and cannot submit tasks")


def send(login: Login, asked: ViewRequest) -> Done:
    """Raises InvalidArgument for a field that cannot be, which stands with its name."""
    _refuse_viewer(login)
    typed = {name: text for name, text in asked.query.items() if name.startswith(PREFIX)}
    login.draft = {field: asked.query.get(field, "") for field in (*FIELDS, "like", "once")}
    # What was typed is not lost; a secret is not written into a page.
    login.draft |= {name: text for name, text in typed.items() if not is_secret(name.rpartition(".")[2])}
    try:
        return _send(login, asked, typed)
    except TaskConflict:
        del login.draft["once"]  # what stands in the form now is another task, when it is sent once more
        raise InvalidArgument(
            "this form was sent already, with other contents, and its task is there; submit it once more to have another task of these"
        ) from None
    except TqError as error:
        login.draft = {**login.draft, "error": str(error)}
        raise


def _send(login: Login, asked: ViewRequest, typed: Mapping[str, str]) -> Done:
    like = _row(login, asked.get("like"))
    name = asked.get("name")
    if like is not None and name != like["name"]:
        like = None  # what is hidden of one task is no argument of another callable
    call = _call(login, asked, name, call_of_row(like), typed, has_like=like is not None)
    options: dict[str, Any] = {
        field: _number(field, asked.get(field)) for field in NUMBERS if asked.get(field)
    }
    if queue := asked.get("queue"):
        options["queue"] = queue
    if tags := _tags(asked.get("tags")):
        options["tags"] = tags
    if not ONCE.fullmatch(once := asked.get("once")):
        raise InvalidArgument("this form is not one of this page: load it again")
    # After a second click, or an answer that did not arrive, it is the same task.
    task = login.app.named(name, **options).using(key=f"{KEY}{once}")
    handle = task.submit(*call.args, **call.kwargs)
    login.draft = {}
    return Done(note=f"{name} is submitted", to=f"/tasks/{handle.id}")


def _call(
    login: Login, asked: ViewRequest, name: str, like: EditedCall, typed: Mapping[str, str], *, has_like: bool
) -> EditedCall:
    """What stands in the fields of its signature, or in the two fields of JSON."""
    digest = asked.get("signature")
    if not digest:
        return call_of(asked.query.get("args", ""), asked.query.get("kwargs", ""), like)
    found = signatures(login.app, [name]).get(name)
    if found is None or _digest(found) != digest:
        raise InvalidArgument(
            f"the workers have other code of {name} now, and its parameters are not those of this form: look at them again"
        )
    return call_of_fields(found.rows, typed, by_parameter(found.rows, like) if has_like else None)


def options_of(row: dict[str, Any]) -> dict[str, Any]:
    """What a task was submitted with that differs from what is usual, as far as its row says."""
    found = {name: row[name] for name in ("priority", "retries", "timeout") if row[name]}
    return {name: int(value) if value == int(value) else value for name, value in found.items()}


def code_of(row: dict[str, Any]) -> str:
    """The submit of a task as Python."""
    options = {"queue": row["queue"], **options_of(row), **_terms_of(row)}
    return as_code(row["name"], call_of_row(row), options | ({"tags": row["tags"]} if row["tags"] else {}))


def _terms_of(row: dict[str, Any]) -> dict[str, Any]:
    """What its row says of its terms, as it is submitted. Not its limits: a row has their keys and not their bounds."""
    terms = row.get("terms", {})
    found = {name: terms[name] for name in SUBMITTED_TERMS if name in terms}
    if "tenant" in found:  # it is an expression, where a brace is written twice
        found["tenant"] = found["tenant"].replace("{", "{{").replace("}", "}}")
    if "deadline" in terms:  # the same time from the submit on: the moment itself may be over
        found["deadline"] = round(max(0.0, terms["deadline"] - row["created"]), 3)
    return found


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


def _tags(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        for word in shlex.split(text):
            name, equals, value = word.partition("=")
            if not equals or name in found:
                raise ValueError(f"{word!r} is given twice" if equals else f"{word!r} has no =")
            found[name] = value
    except ValueError as error:
        raise InvalidArgument(f"tags: {error!s:.80}; write order=4711 'note=two words'") from None
    return found
