"""Which calls have the same effect when they are made twice, and so are repeated after a lost connection."""

from __future__ import annotations

from typing import Final

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
