"""What a child's process is like between tasks: noted when the user's code is imported, and put back after a task has changed it.

::

    import of the user's code ─► note()
    a task, or a block of tasks of one function ─► put_back(): each part that differs ─► as it was noted

Looking costs a fixed amount, some tens of microseconds and several times as much when the task has waited for something, so it
is not done for each task: tasks of one function that follow one another without a pause are looked at as one, for LOOK_SECONDS.
A function is looked at after its first task; if that or any later one has left something behind, it is from then on looked at
after each of its tasks.

A module that a task imports for the first time may set up the process as it would have at the start (its warnings filters,
its environment, its handlers of logging), and does so only once. So what is found after such a task stays, but for what no
import should do: see ``made_by_imports``.

What cannot be put back, or is the task's own affair, is not looked at: threads, processes, files, replaced functions of
modules, the state of random generators.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Sequence
from typing import Final, Protocol

LOOK_SECONDS: Final = 0.05  # so long, tasks of one function that leaves nothing are not looked at
NOT_THEIRS: Final = sys.stdlib_module_names | {"tq"}


class ProcessPart(Protocol):
    """One part of the process. ``made_by_imports``: a module may change it when it is imported, and mean it to stay."""

    made_by_imports: bool

    def note(self) -> None:
        """As it is now, it is to be put back."""

    def differs(self) -> bool: ...
    def put_back(self) -> None: ...


class ProcessState:
    """``kept``: the parts, in the order in which they are put back. Used by one thread, and never while a task runs."""

    def __init__(self, kept: Sequence[ProcessPart]) -> None:
        self._kept = kept
        self._modules: set[str] = set()
        self._known: dict[str, bool] = {}  # by function: whether its tasks have left all as it was
        self._context = self._of_tasks = contextvars.copy_context()
        self._ran: str | None = None  # the function whose tasks were not looked at yet,
        self._began = 0.0  # and when the first of them began

    def note(self) -> None:
        """The user's code is imported."""
        self._modules = set(sys.modules)
        for one in self._kept:
            one.note()
        self._context = contextvars.copy_context()

    def begin(self, name: str, now: float) -> contextvars.Context:
        """Tasks of this function are to run next, in the context that is returned."""
        if name != self._ran or now - self._began >= LOOK_SECONDS or not self.is_trusted(name):
            # Before this function's tasks: what the last ones left is not theirs.
            self.put_back()
            self._ran, self._began, self._of_tasks = name, now, self._context.copy()
        return self._of_tasks

    def is_trusted(self, name: str) -> bool:
        """Whether several tasks of this function may run before it is looked at what they have left."""
        return self._known.get(name, False)

    def put_back(self) -> None:
        """Call it when no task runs, as often as you like."""
        name, self._ran = self._ran, None
        if name is None:
            return
        has_imported, has_set = self._has_imported(), self._has_set()
        if has_imported:
            self._context = self._of_tasks
        is_clean = self._context.run(self._compare, has_imported) and not has_set
        # Once a function has left something, it is not trusted again.
        if not has_imported and not (is_clean and name in self._known):
            self._known[name] = is_clean

    def _compare(self, has_imported: bool) -> bool:
        """Whether all was as it was noted."""
        is_clean = True
        for one in self._kept:
            if not one.differs():
                continue
            is_clean = False
            if not (has_imported and one.made_by_imports):
                one.put_back()
                if not one.differs():
                    continue
            one.note()  # a module's doing; or what cannot be put back, and is not tried after every task
        return is_clean

    def _has_set(self) -> bool:
        """Whether context variables are not what they were."""
        was = self._context
        return len(was) != len(self._of_tasks) or any(
            was.get(variable, was) is not value for variable, value in self._of_tasks.items()
        )

    def _has_imported(self) -> bool:
        """Whether there is a new module that is not the standard library's."""
        # Two lengths: a set of a thousand names for each task would cost more than the task.
        if len(sys.modules) == len(self._modules):
            return False
        before, self._modules = self._modules, set(sys.modules)
        return any(name.partition(".")[0] not in NOT_THEIRS for name in self._modules - before)
