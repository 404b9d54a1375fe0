"""What stands in the place of a result whose task did not succeed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..domain.ids import show_id
from ..domain.model import State, StateNumber
from ..errors import TaskError
from .failure import Failure, to_error


@dataclass(frozen=True, slots=True)
class Failed:
    """What stands in the place of a result when its task did not succeed, and ``on_error`` lets the task run nevertheless.

    Attributes:
        id: Of the task that did not succeed, as text.
        state: In which it ended.
        type: Of its exception; empty when there was none.
        message: Of its exception.
        traceback: Of its exception, as text.
    """

    _tq_in_place_of_a_result: ClassVar[bool] = True
    id: str
    state: State
    type: str
    message: str
    traceback: str

    def error(self) -> TaskError:
        """Make the exception that ``handle.result()`` raises for that task.

        Returns:
            A TaskError; nothing is raised.
        """
        return to_error(self.state.number, Failure(self.type, self.message, self.traceback))


def failed(id: bytes, state: int, body: bytes | None) -> Failed:
    failure = Failure.decode(body)
    if state < 0:
        return Failed(show_id(id), State.LOST, "", "its result was deleted", "")
    shown = StateNumber(state)
    if not shown.is_terminal:
        return Failed(show_id(id), State.FAILED, "", "it had not succeeded, and runs again", "")
    message = failure.message or to_error(shown, failure).message
    return Failed(show_id(id), State.from_number(state), failure.type, message, failure.traceback)
