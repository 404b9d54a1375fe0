"""Errors as the standard library's users expect them: a task's exception of its own type, not a TaskError.

A failure arrives as text and plain arguments, which are not trusted: an exception is rebuilt only if its class is already
loaded in this process and constructed as Exception itself is, so that building it runs no foreign code. It keeps its type also
when its arguments cannot be sent: then its message is its argument. Any other failure is raised as a TaskError.
"""

from __future__ import annotations

import builtins
import sys
from concurrent.futures import BrokenExecutor
from types import BuiltinMethodType, WrapperDescriptorType
from typing import Any

from ...common.errors import DecodeError, ProtocolError, Rejected, TaskError, TqError, Unreachable
from ...common.values.codec import decode


class BrokenCluster(BrokenExecutor, TqError):
    """The cluster is unusable: the key is refused, the master did not answer in time, or the program's own cluster died."""


def as_broken_cluster(error: TqError) -> TqError:
    """The error that a caller of an Executor or Pool gets when its task could not be sent."""
    lost = isinstance(error, (Unreachable, Rejected, ProtocolError))
    return BrokenCluster(str(error)) if lost else error


def no_worker_runs(name: str, queue: str, connected: int) -> str:
    """Says that no worker would run this function, and how to start one that would."""
    allow = name.replace(":", ".")
    module = name.partition(":")[0]
    none = (
        f"none of the connected workers ({connected}) runs" if connected else "no worker is connected to run"
    )
    return (
        f"{none} {name} in queue {queue}; start one with --allow '{allow}' (or '{module}.*'), or with the module that "
        "has it as a task"
    )


class RemoteTraceback(Exception):
    """The remote traceback as text: the cause of a rebuilt exception, as in ``multiprocessing.pool``."""

    def __init__(self, tb: str) -> None:
        super().__init__(tb)
        self.tb = tb

    def __str__(self) -> str:
        return f'\n"""\n{self.tb}"""'


class _AsWritten(str):
    """A message in the place of arguments that could not be sent: shown as it is, also by exceptions that show the ``repr`` of their
    argument, such as KeyError."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def rebuilt(error: TaskError) -> BaseException:
    """The exception that the task raised, with the remote traceback as ``__cause__``; the TaskError if it cannot be built."""
    error.__cause__ = RemoteTraceback(error.traceback) if error.traceback else None
    kind = _loaded_class(error.type)
    own = None if kind is None else _made(kind, error)
    if own is None:
        return error
    own.__cause__ = RemoteTraceback(error.traceback)
    notes = error.detail.get("notes")
    for note in notes if isinstance(notes, list) else ():
        own.add_note(str(note))
    return own


def _made(kind: type[BaseException], error: TaskError) -> BaseException | None:
    """From its arguments; from its message when these could not be sent or read. None for a class that takes no message."""
    tries = (_arguments(error.detail), [_AsWritten(error.message)])
    return next((own for args in tries if args is not None and (own := _called(kind, args))), None)


def _called(kind: type[BaseException], args: list[Any]) -> BaseException | None:
    try:
        return kind(*args)
    except Exception:  # a built-in class whose constructor takes other arguments
        return None


def _arguments(detail: dict[str, Any]) -> list[Any] | None:
    args, packed = detail.get("args"), detail.get("packed_args")
    if not isinstance(args, list) and isinstance(packed, bytes):
        try:
            args = decode(packed)
        except DecodeError:  # such as an enum that is not loaded here
            return None
    return args if isinstance(args, list) else None


def _loaded_class(name: str) -> type[BaseException] | None:
    found: Any = vars(builtins).get(name)
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:cut]))
        if module is not None:
            found = module
            for part in parts[cut:]:
                found = getattr(found, "__dict__", {}).get(part)
            break
    if not (isinstance(found, type) and issubclass(found, Exception)):
        return None
    plain = (
        type(found) is type  # no metaclass of its own
        and isinstance(found.__init__, WrapperDescriptorType)
        and isinstance(found.__new__, BuiltinMethodType)
    )
    return found if plain else None
