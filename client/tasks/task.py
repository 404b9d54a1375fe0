"""Tasks as ``@app.task`` makes them: a function that can be submitted, and that runs here when it is called.

::

    Submitter: submit, asubmit, map, starmap, chunks, amap, using    (also what ``using`` and ``app.named`` give)
        └── Task: a decorated function; calling it runs it here
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from ...common.domain.callables import NamedCallable
from .definition import Definition
from .lane_keys import check_unique
from .options import Choice
from .signature import check_function, check_gets_list

if TYPE_CHECKING:
    from ...common.domain.hooks import Hooks
    from ...common.domain.schedule import DeclaredSchedule
    from ..core.session import ClientSession

from .submitter import Submitter

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Task(Submitter[P, R], Generic[P, R, C]):
    """A function that can be submitted; ``@app.task`` makes it.

    Calling it runs the function in this process, as if it were not decorated.
    """

    def __init__(
        self,
        session: ClientSession,
        function: Callable[P, C],
        name: str | None,
        choice: Choice,
        hooks: Hooks | None = None,
    ) -> None:
        super().__init__(session, Definition(function, name), choice)
        check_unique(choice, self._definition)
        if choice.terms.coalesce is not None:
            check_gets_list(function)
        self.function: Callable[P, C] = function
        check_function(function)
        self._hooks = hooks
        # Keeps the function's name, docstring and annotations for those who look at the task.
        functools.update_wrapper(self, function)
        self.schedules: list[tuple[str | None, Callable[[], DeclaredSchedule]]] = []  # by the name given

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C:
        arguments = self._definition.arguments
        # Nothing is filled in: a plain call, as if it were not decorated.
        if arguments is None or not (arguments.context or arguments.asked):
            return self.function(*args, **kwargs)
        asked = arguments.asked_of_call((args, kwargs))
        if not asked:
            return cast(C, self._call_here(*args, **kwargs))
        from .calling_here import call_with

        return cast(
            C, call_with(asked, self.function, lambda given: self._call_here(*args, **{**kwargs, **given}))
        )

    def _call_here(self, *args: Any, **kwargs: Any) -> Any:
        arguments = self._definition.arguments
        if arguments is None or arguments.context is None:
            return self.function(*args, **kwargs)
        from .calling_here import context_here

        here = context_here(arguments.function_name, self._choice.queue)
        return arguments.call_here(self.function, here, (args, kwargs))

    @property
    def __tq_task__(self) -> NamedCallable:
        """What a worker that imports this module serves."""
        # Made when a worker asks: their function may be named only after the module is loaded.
        schedules = tuple(make() for _, make in self.schedules)
        return self._choice.offered(self.name, self.function, schedules, self._hooks)
