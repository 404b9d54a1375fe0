"""The object for the steps of running tasks, ``get_steps``. Its callers are children of workers, by their relay, and any client
that sends a signal."""

from __future__ import annotations

from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.durations import DELAY_SECONDS_MAX, check_number
from ...common.domain.model import Role
from ...common.domain.steps import SENDERS, SIGNAL_BYTES_MAX, STEPS_MAX, check_step_name
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..api.validation import EngineObject, validate_token, validate_whole
from ..engine.session import Call
from ..store.interface.steps import SignalRow
from ..tasks import lookup
from ..tasks.leases import LeasedAttempt
from ..tasks.routes import Routes, within
from .signals import Signals
from .steps import Steps

RUN_SECONDS_MAX: Final = 1e9  # that a step may say it took: it is only shown


class StepsObject(EngineObject):
    """Each method but ``signal`` is given the token of an attempt, and answers nil if that is not its task's current one."""

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
        # Before the lease is looked up: on a full disk the step is made again later, which LeaseLost would end.
        self.engine.core.room.check()
        held = self._held(call, id, attempt, lease)
        if held is None:
            return None
        self._steps.record(
            id, held, number, name, body, seconds, call.session.verifier.key_id, self.engine.now
        )
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

    @exposed(Role.CLIENT)
    def wait(
        self,
        call: Call,
        id: bytes,
        attempt: int,
        lease: bytes,
        number: int,
        name: str,
        timeout: float | None = None,
        role: str | None = None,
    ) -> list[Any] | None:
        """The task is to go on when it is sent this signal, at the latest after ``timeout`` seconds. ``role``: that its sender has
        to have. Answers the step, which waits if there is no such signal yet."""
        number = validate_whole("number", number, 1, STEPS_MAX)
        check_step_name("signal", name)
        check_number("timeout", timeout, 0, DELAY_SECONDS_MAX, none=True)
        if role is not None and role not in SENDERS:
            raise InvalidArgument(f"role must be nil or one of {', '.join(SENDERS)}, not {brief(role, 80)}")
        self.engine.core.room.check()
        held = self._held(call, id, attempt, lease)
        if held is None:
            return None
        now = self.engine.now
        return self.engine.part(Signals).wait(id, held, number, name, timeout, role, now)

    @exposed(Role.CLIENT)
    def signal(self, call: Call, id: bytes, name: str, value: bytes, token: bytes) -> None:
        """Send a task a signal. ``value``: of the codec; ``token``: names this call, so that it has its effect once."""
        check_step_name("signal", name)
        if type(value) is not bytes or len(value) > SIGNAL_BYTES_MAX:
            raise InvalidArgument(f"a signal carries at most {SIGNAL_BYTES_MAX:,} bytes of the codec")
        validate_token("token", token)
        self.engine.core.room.check()
        task, now, session = lookup.task(self.engine, call.session, id), self.engine.now, call.session
        # A task is code of clients: it must not pass for the admin whose worker runs it.
        role = Role.CLIENT if session.is_child else session.verifier.role
        row = SignalRow(
            task.seq, token, name, session.verifier.key_id, str(role), now.steady, None, len(value), value
        )
        self.engine.part(Signals).send(task, row)

    @property
    def _steps(self) -> Steps:
        return self.engine.part(Steps)

    def _held(self, call: Call, id: Any, attempt: Any, lease: Any) -> LeasedAttempt | None:
        held = self._steps.holder(id, attempt, lease)
        # Of another key's queue the answer is that of a lost lease.
        if held is None or not within(self.engine.part(Routes), call.session)(held.route):
            return None
        return held
