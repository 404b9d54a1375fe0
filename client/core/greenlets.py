"""Programs whose threads and queues were replaced by greenlets, by gevent's ``monkey.patch_all()`` or eventlet's ``monkey_patch()``.

tq's connection runs an event loop in a thread of its own, and a wait for an answer is a wait for that thread. As a greenlet it
would run in the thread that waits, and neither would ever go on: so such a program is refused when it connects, before anything
waits. With the other patches (sockets, time, ssl) the connection works.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from ...common.domain.context import is_of_task
from ...common.errors import ConfigError

GEVENT: Final = "monkey.patch_all(thread=False, queue=False, subprocess=False)"
EVENTLET: Final = "eventlet.monkey_patch(thread=False)"
WAITED_IN: Final = ("threading", "queue")
STARTED_BY: Final = "subprocess"  # gevent's starts processes in the main thread only


def check_threads() -> None:
    """Raises ConfigError in a program in which a wait for the connection would never end."""
    _check(WAITED_IN)


def check_processes() -> None:
    """Raises ConfigError also in one that could not start a cluster of its own."""
    _check((*WAITED_IN, STARTED_BY))


def _check(modules: Sequence[str]) -> None:
    # Looked up, never imported: a program without gevent must not load it.
    gevent: Any = sys.modules.get("gevent.monkey")
    replaced = [] if gevent is None else [name for name in modules if gevent.is_module_patched(name)]
    if replaced and is_of_task():
        raise ConfigError(
            "a task in a gevent pool cannot call its App: it could wait without end there; give it another pool, as in "
            "--pool thread:50@QUEUE"
        )
    if replaced:
        raise ConfigError(_refusal("gevent", replaced[0], GEVENT))
    eventlet: Any = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        raise ConfigError(_refusal("eventlet", "threading", EVENTLET))


def _refusal(by: str, module: str, patch: str) -> str:
    return (
        f"{by} has replaced this program's module {module}, and tq would hang in it; write {patch}, or use tq in a process that "
        "is not patched (gunicorn: -k gthread)"
    )
