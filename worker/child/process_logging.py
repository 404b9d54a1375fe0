"""The configuration of logging in a child: what the root and the named loggers do, for each task as after the import."""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

from .process_parts import same

LOGGERS_MAX: Final = 1_000  # that are looked at: a program may name one after each of its tasks


class LoggerState(NamedTuple):
    """``handlers``: each with its level and its formatter."""

    level: int
    disabled: bool
    propagate: bool
    handlers: list[Any]
    filters: list[Any]
    forms: list[Any]

    @classmethod
    def of(cls, logger: logging.Logger) -> LoggerState:
        forms = [part for one in logger.handlers for part in (one.level, one.formatter)]
        return cls(
            logger.level, logger.disabled, logger.propagate, [*logger.handlers], [*logger.filters], forms
        )

    def is_of(self, logger: logging.Logger) -> bool:
        return (
            logger.level == self.level
            and logger.disabled == self.disabled
            and logger.propagate == self.propagate
            and same(logger.handlers, self.handlers)
            and same(logger.filters, self.filters)
            and (not self.forms or same(LoggerState.of(logger).forms, self.forms))
        )

    def apply(self, logger: logging.Logger) -> None:
        for one, level, formatter in zip(self.handlers, self.forms[::2], self.forms[1::2], strict=True):
            one.level, one.formatter = level, formatter
        logger.handlers[:], logger.filters[:] = self.handlers, self.filters
        logger.disabled, logger.propagate = self.disabled, self.propagate
        logger.setLevel(self.level)  # last: it has all loggers forget what they had found out about levels


NEW: Final = LoggerState(logging.NOTSET, False, True, [], [], [])


class LoggingConfiguration:
    """See ``process_state.ProcessPart``. A logger that a task has named is put back to what a new one does."""

    made_by_imports = True

    def note(self) -> None:
        self._manager = logging.root.manager
        self._disabled = self._manager.disable
        self._count = 0
        self._states: dict[logging.Logger, LoggerState] = {logging.root: LoggerState.of(logging.root)}
        self._meet(as_they_are=True)

    def differs(self) -> bool:
        if len(self._manager.loggerDict) != self._count:
            self._meet(as_they_are=False)
        return self._manager.disable != self._disabled or not all(
            state.is_of(logger) for logger, state in self._states.items()
        )

    def put_back(self) -> None:
        self._manager.disable = self._disabled
        for logger, state in self._states.items():
            if not state.is_of(logger):
                state.apply(logger)

    def _meet(self, *, as_they_are: bool) -> None:
        """Note the loggers that are new."""
        self._count = len(self._manager.loggerDict)
        for logger in list(self._manager.loggerDict.values()):
            if len(self._states) < LOGGERS_MAX and isinstance(logger, logging.Logger):
                self._states.setdefault(logger, LoggerState.of(logger) if as_they_are else NEW)
