"""All errors of tq, in one tree. A message names the cause and the remedy; fields carry the facts.

::

    TqError
    ├── InvalidArgument            an argument cannot be used; nothing happened
    │   ├── NotSerializable        a value that cannot travel, with its path
    │   ├── NotNamed               a callable that a worker could not find by name
    │   └── QuotaExceeded          the key has reached a limit of what one key may have
    ├── ConfigError                a setting or a start-up condition; the program did not start
    ├── DecodeError                bytes that are not a value
    ├── ProtocolError              the peer does not speak tq, or breaks its rules
    ├── Unreachable                no master answers at the address (yet)
    │   └── NotOwner               this master stands by; it may name the one that serves
    ├── Rejected                   the key was refused; final, never retried
    ├── Forbidden                  the key is good, its role or queues are not enough
    ├── WrongShard                 a name or an id that is another shard's; nothing happened
    ├── UnknownObject              no such object or method is exposed
    ├── UnknownTask                no task has this id (any more)
    ├── UnknownBlob                the master does not have this content (any more)
    ├── StepChanged                the code of a task no longer fits the steps that it has recorded
    ├── TaskConflict               this id was submitted before with other content
    ├── Full                       a queue of tasks has no room, and the submit does not wait
    ├── FlowFailed                 a flow did not succeed; carries its counts
    ├── StoreError                 the store could not commit; ``maybe_done`` says what to assume
    │   └── StoreFull              … for its disk is full: nothing new is accepted
    ├── ResourceFailed             what a task asks for could not be made in its worker
    ├── RemoteError                an object that the user exposes raised
    └── TaskError                  a task did not succeed; carries the remote type, message, traceback
        ├── TaskTimeout   ├── TaskCrashed   ├── TaskCancelled   ├── TaskExpired   ├── TaskLost
        └── WouldDeadlock          it waited, inside itself, for a task that no slot is left for

    Retry, Discard, Snooze         raised by a task to say how its attempt ends: see common/domain/directives.py
    TimeLimit, CancelRequested,    raised inside a running task by tq (BaseException: ``except
    LeaseLost                      Exception`` in user code does not swallow them)

Errors that cross the wire travel as ``[code, message, detail]``; ``code`` is a key of WIRE_ERRORS, and
the receiver looks it up in that closed table. No class is ever imported or made because a peer names it.

Every class here has a section in docs/errors.md, which ``tq help`` prints: what the error means and what to do. A
traceback names the section in a note, a command in a second line; both are derived from the class, never stored or sent.
"""

from __future__ import annotations

import queue
from typing import Any


def topic(kind: type[BaseException]) -> str:
    """The name that ``tq help`` takes for an error: the anchor of its section in docs/errors.md. A class of the user's
    code, or of the inside of a program, is explained as the nearest of its bases that callers know."""
    ours = (one.__name__ for one in kind.__mro__ if _is_known_to_callers(one.__module__))
    return next(ours, kind.__name__).lower()


def _is_known_to_callers(module: str) -> bool:
    """Whether a caller can catch the classes of a module: not those of the inside of the master or of one command."""
    package, room, inner = [*module.split("."), "", ""][:3]
    return package == __name__.partition(".")[0] and room in ("common", "client") and inner != "cli"


def see(kind: type[BaseException]) -> str:
    """The line that names an error's section."""
    return f"see: tq help {topic(kind)}"


class _Notes:
    """``__notes__`` of an error that has none yet: where to read on. Made when a traceback reads it, so that raising costs
    nothing and ``add_note`` appends to a list of the error's own."""

    def __get__(self, error: BaseException | None, kind: type[BaseException]) -> list[str]:
        notes = [see(kind)]
        return notes if error is None else error.__dict__.setdefault("__notes__", notes)


def _rebuilt(kind: type[Exception], args: tuple[Any, ...], fields: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class Portable(Exception):
    """Can be copied and pickled, as multiprocessing needs, with any arguments of its ``__init__``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


class TqError(Portable):
    """Base of every error tq raises on purpose."""

    __notes__ = _Notes()


class InvalidArgument(TqError, ValueError):
    """An argument cannot be used. Nothing was sent or stored. Correct the argument that the message names."""


class NotSerializable(InvalidArgument, TypeError):
    """A value cannot be sent. ``path`` says where in the arguments it is, ``kind`` what it is."""

    def __init__(self, path: str, kind: str, remedy: str) -> None:
        super().__init__(f"{path}: {kind} cannot be sent; {remedy}")
        self.path, self.kind, self.remedy = path, kind, remedy


class NotNamed(InvalidArgument):
    """No worker could find this callable by its name: a lambda, a nested function, a function typed at a prompt."""


class QuotaExceeded(InvalidArgument):
    """The key has reached a limit of what one key may have at a time. Nothing was done; the call can be made again."""


class ConfigError(TqError):
    """A setting or a condition at start-up is wrong; the program did not start. The message names the remedy."""


class DecodeError(TqError, ValueError):
    """The bytes are not a value of the codec: they are damaged, hostile, or of a newer version."""


class ProtocolError(TqError):
    """The peer does not speak tq, or breaks its rules. Check address, port and versions."""


class Unreachable(TqError, ConnectionError):
    """No master answers at the address. Check that it runs, the port, and the firewalls between."""


class NotOwner(Unreachable):
    """This master stands by: another one of its cluster serves, or is about to. ``owner`` is its address, if it is known."""

    def __init__(self, message: str, owner: str | None = None) -> None:
        super().__init__(message)
        self.owner = owner


class Rejected(TqError, PermissionError):
    """The master refused the key, or is not the master that the key was made for. Final: trying again does not help."""


class Forbidden(TqError, PermissionError):
    """The key is good, but its role or its queues do not allow this. Ask for a key that does."""


class WrongShard(TqError):
    """What a call names is in another shard of the cluster than the one that was asked. Nothing was done.

    ``shard`` is the one that it is in, ``here`` the one that was asked.
    """

    def __init__(self, message: str, shard: int | None = None, here: int | None = None) -> None:
        super().__init__(message)
        self.shard, self.here = shard, here


class UnknownObject(TqError, LookupError):
    """The master exposes no such object, or the object no such method."""


class UnknownTask(TqError, LookupError):
    """No task has this id: it was never submitted to this master, or its result has expired."""


class UnknownBlob(TqError, LookupError):
    """The master does not have this content: it was never sent there, or was deleted with the last task that named it."""


class TaskConflict(TqError, ValueError):
    """A task with this id exists, with another name, queue or arguments. Nothing was changed."""


class Full(TqError, queue.Full):
    """A queue of tasks has no room for what was submitted with ``on_full="raise"``. Nothing was stored."""


class StepChanged(TqError):
    """The code of a task no longer fits the steps that an earlier attempt has recorded.

    Another step stands in this place, and nothing was called. Run the code that recorded them, or submit the task again.
    """


class StoreError(TqError):
    """The store could not commit. With ``maybe_done`` the outcome is unknown: repeat the call with the same ids."""

    maybe_done = True


class StoreFull(StoreError):
    """The master's disk is full. Nothing new is accepted until there is room; what was accepted goes on."""


class ResourceFailed(TqError):
    """A resource that a task asks for could not be made: its function raised. The attempt has failed; the next one makes it again."""


class RemoteError(TqError):
    """An object that the user exposes raised; the message is the remote type and message."""


class FlowFailed(TqError):
    """A flow failed or was cancelled. ``flow`` has its facts; the error of the first task that did not succeed is its cause."""

    def __init__(self, message: str, flow: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.flow = flow or {}


class TaskError(TqError):
    """A task did not succeed. ``type``, ``message`` and ``traceback`` are the remote exception's, as text."""

    def __init__(
        self, message: str, *, type: str = "", traceback: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        own = type == self.__class__.__name__  # a traceback begins with it already
        super().__init__(f"{type}: {message}" if type and not own else message)
        self.type, self.message, self.traceback = type, message, traceback
        self.detail = detail or {}


class DependencyFailed(TaskError):
    """A task whose result was an argument did not succeed, so the task was not run.

    The message names the first such task, its error, and how many there are; ``detail`` has its id, ``culprit``.
    """


class WouldDeadlock(TaskError):
    """A task waits, inside itself, for a task that no slot is left for: its worker has lent this slot as often as it may.

    The task is not retried. Return the handle, or give it to the task that needs the result, as an argument.
    """


class TaskTimeout(TaskError):
    """The task took longer than its ``timeout``."""


class TaskCrashed(TaskError):
    """The process that ran the task died; ``detail`` has the signal or exit code.

    A task that does it ``max_crashes`` times is quarantined.
    """


class TaskCancelled(TaskError):
    """The task was cancelled before it had a result."""


class TaskExpired(TaskError):
    """The task was not started before its ``expires``."""


class TaskLost(TaskError):
    """The worker of an at_most_once task vanished: whether the task ran is unknown, so it is not run again."""


class TimeLimit(BaseException):
    """Raised inside a task when its ``timeout`` has passed, so that it can clean up before it is killed."""


class CancelRequested(BaseException):
    """Raised inside a task that was cancelled, so that it can clean up before it is killed."""


class LeaseLost(BaseException):
    """Raised by a step inside a task that is not this attempt's any more: another attempt may run it, so that this one ends."""


WIRE_ERRORS: dict[str, type[TqError]] = {
    kind.__name__: kind
    for kind in (
        InvalidArgument,
        QuotaExceeded,
        ProtocolError,
        Rejected,
        Forbidden,
        WrongShard,
        UnknownObject,
        UnknownTask,
        UnknownBlob,
        TaskConflict,
        Full,
        StoreError,
        StoreFull,
        RemoteError,
        WouldDeadlock,  # sent by a supervisor to its children
        NotOwner,
        Unreachable,  # sent by a supervisor to its children when its connection to the master broke
    )
}


def to_wire(error: TqError) -> list[Any]:
    """``[code, message, detail]`` of an error; the code is its nearest class in the closed table."""
    names = (kind.__name__ for kind in type(error).__mro__)
    code = next((name for name in names if name in WIRE_ERRORS), "RemoteError")
    text = str(error).encode("utf-8", "backslashreplace").decode()  # may name a file that is not UTF-8
    return [code, text, _detail(error)]


def _detail(error: TqError) -> dict[str, Any]:
    """The facts that travel beside the message."""
    match error:
        case NotOwner(owner=str(owner)):
            return {"owner": owner}
        case WrongShard(shard=int(shard), here=int(here)):
            return {"shard": shard, "here": here}
    return {}


def from_wire(fields: Any) -> TqError:
    """The error that a peer sent; an unknown code or form becomes a ProtocolError that says so."""
    match fields:
        case ["NotOwner", str(message), {"owner": str(owner)}]:
            return NotOwner(message, owner)
        case ["WrongShard", str(message), {"shard": int(shard), "here": int(here)}]:
            return WrongShard(message, shard, here)
        case [str(code), str(message), dict()] if code in WIRE_ERRORS:
            return WIRE_ERRORS[code](message)
        case [str(code), *_]:
            return ProtocolError(f"the peer sent an error this version does not know: {code!r:.200}")
    return ProtocolError("the peer sent an error of an unknown form")  # not shown: it may nest without end
