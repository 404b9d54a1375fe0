"""Proxies of what a master exposes: ``app.object("get_counter", "visits").add(3)``.

An object is addressed by its name and arguments, so a proxy outlives reconnects and restarts of the
master. The built-in ones take and give plain envelope values; a user's own take any value of the codec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..app import App

BUILT_IN: Final = frozenset(
    {
        "get_barrier",
        "get_blobs",
        "get_data",
        "get_datum",
        "get_dispatcher",
        "get_event",
        "get_keys",
        "get_lock",
        "get_locks",
        "get_master",
        "get_queue",
        "get_queues",
        "get_result_queue",
        "get_task_queue",
        "get_tasks",
        "get_workers",
    }
)

# What has the same effect when it is done twice, and so is repeated after a lost connection. A user's own
# methods never are: nobody can know.
_OF_ITEMS: Final = {
    "make",
    "shutdown",
    "reopen",
    "put",
    "give_up_put",
    "get",
    "give_up_get",
    "confirm",
    "release",
    "task_done",
    "join",
    "size",
}
_OF_LOCKS: Final = {
    "acquire",
    "give_up_acquire",
    "release",
    "add",
    "held",
    "wait",
    "give_up_wait",
    "notify",
    "state",
}
_REPEATABLE: Final = {
    "get_barrier": {"wait", "give_up_wait", "reset", "abort", "state"},
    "get_blobs": {"ask", "put", "get"},
    "get_data": {"list", "show"},
    "get_datum": {"make", "call"},
    "get_event": {"set", "clear", "wait", "give_up_wait", "state"},
    "get_keys": {"list", "revoke"},
    "get_lock": _OF_LOCKS,
    "get_locks": {"list"},
    "get_master": {"info", "snapshot"},
    "get_queue": _OF_ITEMS,
    "get_queues": {"list"},
    "get_result_queue": _OF_ITEMS,
    "get_task_queue": _OF_ITEMS | {"submit", "pause", "resume"},
    "get_tasks": {
        "select",
        "cancel_where",
        "purge",
        "states",
        "show",
        "log",
        "last_runs",
        "progress",
        "list",
        "cancel",
    },
    "get_workers": {"list", "drain", "running", "serving"},
}


def is_repeatable(name: str, method: str) -> bool:
    return method in _REPEATABLE.get(name, ())


class RemoteObject:
    """One exposed object; its methods are called there."""

    def __init__(self, app: App, name: str, args: tuple[Any, ...]) -> None:
        self._app, self._target = app, (name, *args)

    def __repr__(self) -> str:
        name, *args = self._target
        return f"<tq.RemoteObject {name}({', '.join(map(repr, args))})>"

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *args, **kwargs: self._call(method, args, kwargs)

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._target[0] in BUILT_IN:
            if kwargs:
                raise TypeError(f"{method} of {self._target[0]} takes positional arguments only")
            return self._app.call(self._target, method, *args)
        from ...common.values.codec import decode, encode_call

        answer = self._app.call(self._target, method, encode_call(args, kwargs))
        return decode(answer) if isinstance(answer, bytes) else answer
