"""The logger behind ``Context.log``: below ``tq.task`` of the standard library, and out of reach of what silences that."""

from __future__ import annotations

import logging


class TaskLogger(logging.Logger):
    """It is not registered, so ``logging.config`` cannot disable it, as it does by default with every logger that its
    configuration does not name. Level and handlers are those of ``tq.task`` and the root."""

    def __init__(self) -> None:
        super().__init__("tq.task")
        self.parent = logging.getLogger("tq.task")

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the standard library's name
        """Nothing is remembered: who sets a level resets the memory of registered loggers only."""
        return self.manager.disable < level >= self.getEffectiveLevel()


task_logger = TaskLogger()
