"""The shell of ``tq top``: a thread polls the master, so that keys work while it does not answer."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import Group
from rich.live import Live

from ....common.domain.model import Role
from ....common.errors import Forbidden, Rejected, TqError
from ....common.runtime.console import CleanConsole
from ....common.runtime.terminal import console as new_console
from ...app import App
from ..lines import LineReader
from ..options import with_role
from .drawing import draw
from .state import (
    Effect,
    Model,
    Snapshot,
    View,
    array_of,
    detailed,
    filter_of,
    looked,
    lost,
    press,
    with_message,
)
from .terminal import Terminal

ANSWER_SECONDS: Final = 2.0  # then the master counts as away; the call is made again
TASKS_SHOWN: Final = 100  # of a queue
PORTIONS_MAX: Final = 40  # of all tasks, looked through for them: the newest 200,000
FAILED: Final = (11, 12, 15)  # failed, dead, lost
Update = Callable[[Model], Model]


class MasterPoller(threading.Thread):
    """Polls the master every ``interval`` seconds, and at once when it is woken."""

    def __init__(self, app: App, interval: float, wake: Callable[[], None]) -> None:
        super().__init__(name="tq-top", daemon=True)
        self._app, self._interval, self._wake = app, interval, wake
        self._prodded, self._ending = threading.Event(), False
        self._effects: queue.SimpleQueue[Effect] = queue.SimpleQueue()
        self.updates: queue.SimpleQueue[Update] = queue.SimpleQueue()
        self.view = View("home")
        self._kept: tuple[str, list[Any]] | None = None  # a queue's tasks as last seen
        self._portions = 0  # refreshes until they are read again

    def perform(self, effect: Effect) -> None:
        self._effects.put(effect)
        self._prodded.set()

    def show(self, view: View) -> None:
        if view != self.view:
            self.view = view
            self._prodded.set()

    def end(self) -> None:
        self._ending = True
        self._prodded.set()

    def run(self) -> None:
        while not self._ending:
            self._prodded.clear()
            try:
                while not self._effects.empty():
                    self._perform(self._effects.get())
                self._look()
            except (TqError, TimeoutError) as error:
                if isinstance(error, (Rejected, Forbidden)):  # asking again will not help
                    self._post(_raising(error))
                    return
                self._post(lambda model: lost(model, time.time()))
            except Exception as error:  # a bug must not leave a frozen screen
                self._post(_raising(error))
                return
            self._prodded.wait(self._interval)

    def _look(self) -> None:
        snapshot = self._app.call(("get_master",), "snapshot", timeout=ANSWER_SECONDS)
        self._post(lambda model: looked(model, snapshot))
        view = self.view
        detail = self._detail(view)
        self._post(lambda model: detailed(model, view, detail))

    def _detail(self, view: View) -> Any:
        call = self._app.call
        try:
            match view.kind:
                case "queue":
                    return self._newest_of(view.key)
                case "array":
                    return self._newest_in(view.key)
                case "worker":
                    return call(("get_workers",), "running", view.key, timeout=ANSWER_SECONDS)
                case "task":
                    return call(("get_tasks",), "show", bytes.fromhex(view.key), timeout=ANSWER_SECONDS)
        except TqError as error:
            return {"error": str(error).partition("\n")[0]}
        return None

    def _newest_of(self, name: str) -> dict[str, Any]:
        """Arrays and tasks of a queue. The master may have to scan many tasks of other queues for them: the more portions that took,
        the longer the pause before the next scan."""
        kept, self._portions = self._kept, self._portions - 1
        if self._portions > 0 and kept is not None and kept[0] == name:
            return {"rows": kept[1]}
        reader = LineReader(self._app, filter_of(name), ANSWER_SECONDS)
        rows = reader.read(TASKS_SHOWN, PORTIONS_MAX)
        self._kept, self._portions = (name, rows), reader.answers
        return {"rows": rows}

    def _newest_in(self, array: str) -> dict[str, Any]:
        """Tasks of an array."""
        wanted = {"ids": list(array_of(array))}
        return self._app.call(("get_tasks",), "select", wanted, TASKS_SHOWN, timeout=ANSWER_SECONDS)  # type: ignore[no-any-return]

    def _perform(self, effect: Effect) -> None:
        try:
            message = perform(self._app, effect)
        except (TqError, TimeoutError) as error:
            message = str(error).partition("\n")[0]
        self._post(lambda model: with_message(model, message))

    def _post(self, update: Update) -> None:
        self.updates.put(update)
        self._wake()


def _raising(error: Exception) -> Update:
    """Raises in the main thread, where the terminal is restored."""

    def update(model: Model) -> Model:
        raise error

    return update


def perform(app: App, effect: Effect) -> str:
    """Perform an effect with a key that may do it; returns the message to show."""
    name = effect.key
    if effect.kind == "retry":
        with with_role(app, Role.CLIENT) as client:
            done, before = 0, None
            while True:
                wanted = filter_of(name, states=list(FAILED))
                answer = client.call(("get_tasks",), "retry_where", wanted, before, timeout=ANSWER_SECONDS)
                done, before = done + answer["tasks"], answer["before"]
                if before is None:
                    return f"{done:,} tasks of {name} are ready again"
    with with_role(app, Role.ADMIN) as admin:
        arguments = ("by tq top",) if effect.kind == "pause" else ()
        admin.call(("get_task_queue", name), effect.kind, *arguments, timeout=ANSWER_SECONDS)
    return f"{name} is paused" if effect.kind == "pause" else f"{name} goes on"


def first_look(app: App) -> Snapshot:
    """Check address and key before the screen is touched, so that errors appear as with any command."""
    snapshot: Snapshot = app.call(("get_master",), "snapshot")
    return snapshot


def run(app: App, interval: float, snapshot: Snapshot) -> None:
    """Until q, Ctrl-C or the end of the terminal."""
    model = looked(Model(), snapshot)
    console = new_console()
    with Terminal() as terminal:
        asker = MasterPoller(app, interval, terminal.wake)
        with (
            contextlib.suppress(EOFError),
            Live(
                _frame(model, console),
                console=console,
                screen=True,
                auto_refresh=False,
                redirect_stderr=False,
            ) as live,
        ):
            asker.start()
            _serve(model, terminal, asker, lambda shown: live.update(_frame(shown, console), refresh=True))
        asker.end()
    if terminal.ended_by not in (None, signal.SIGINT):
        raise SystemExit(128 + terminal.ended_by)


def _serve(model: Model, terminal: Terminal, asker: MasterPoller, show: Callable[[Model], None]) -> None:
    while terminal.ended_by is None:
        for key in terminal.wait(1.0):
            model, effect = press(model, key)
            if effect is not None and effect.kind == "quit":
                return
            if effect is not None:
                asker.perform(effect)
        asker.show(model.view)
        with contextlib.suppress(queue.Empty):
            while True:
                model = asker.updates.get_nowait()(model)
        show(model)


def _frame(model: Model, console: CleanConsole) -> Group:
    width, height = console.size
    return Group(*draw(model, width, height, time.time()))
