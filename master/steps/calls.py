"""The object for the steps of running tasks, ``get_steps``. Its callers are children of workers, by their relay."""

from __future__ import annotations

from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.durations import DELAY_SECONDS_MAX, check_number
from ...common.domain.model import Role
from ...common.domain.steps import STEPS_MAX, check_step_name
from ...common.errors import InvalidArgument
from ..api.validation import EngineObject, validate_whole
from ..engine.session import Call
from ..tasks.leases import LeasedAttempt
from ..tasks.routes import Routes, within
from .steps import Steps

RUN_SECONDS_MAX: Final = 1e9  # that a step may say it took: it is only shown


class StepsObject(EngineObject):
    """Each method is given the token of an attempt, and answers nil if that is not its task's current one."""

    @exposed(Role.CLIENT)
    def recorded(
        self, call: Call, id: bytes, attempt: int, lease: bytes, after: int = 0
    ) -> list[list[Any]] | None:
        """The steps that a task has recorded, behind this one; as many as fit an answer. Empty: there are no more."""
        after = validate_whole("after", after, 0, STEPS_MAX)
        held = self._held(call, id, attempt, lease)
        return None if held is None else self._steps.recorded(held, after, self.engine.now)

    @exposed(Role.CLIENT)
    def record(
        self,
        call: Call,
        id: bytes,
        attempt: int,
        lease: bytes,
        number: int,
        name: str,
        body: bytes,
        seconds: float,
    ) -> bool | None:
        """A step has returned this. True: it is recorded."""
        number = validate_whole("number", number, 1, STEPS_MAX)
        check_step_name("step", name)
        if type(body) is not bytes:
            raise InvalidArgument("a step's result is bytes of the codec")
        check_number("seconds", seconds, 0, RUN_SECONDS_MAX)
        self.engine.core.room.check()
        held = self._held(call, id, attempt, lease)
        if held is None:
            return None
        self._steps.record(id, held, number, name, body, seconds, self.engine.now)
        return True

    @exposed(Role.CLIENT)
    def sleep(
        self, call: Call, id: bytes, attempt: int, lease: bytes, number: int, seconds: float
    ) -> float | None:
        """The task is to go on after so many seconds; answers how many of them are left."""
        number = validate_whole("number", number, 1, STEPS_MAX)
        check_number("seconds", seconds, 0, DELAY_SECONDS_MAX)
        self.engine.core.room.check()
        held = self._held(call, id, attempt, lease)
        return None if held is None else self._steps.sleep(id, held, number, seconds, self.engine.now)

    @property
    def _steps(self) -> Steps:
        return self.engine.part(Steps)

    def _held(self, call: Call, id: Any, attempt: Any, lease: Any) -> LeasedAttempt | None:
        held = self._steps.holder(id, attempt, lease)
        if held is None or not within(self.engine.part(Routes), call.session)(held.route):
            return None
        return held
