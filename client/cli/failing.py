"""Exit statuses: one number for each way a command can fail. Scripts rely on them; they never change."""

from __future__ import annotations

from typing import Final

from ...common.errors import (
    ConfigError,
    Forbidden,
    InvalidArgument,
    ProtocolError,
    Rejected,
    TaskError,
    UnknownObject,
    UnknownTask,
    Unreachable,
)

FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
REFUSED: Final = 4
UNKNOWN: Final = 5
TIMED_OUT: Final = 6
INTERRUPTED: Final = 130  # as a shell says it of SIGINT

_STATUSES: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (TaskError, FAILED),
    (UnknownTask, UNKNOWN),
    (Unreachable, UNREACHABLE),
    (ProtocolError, UNREACHABLE),
    (Rejected, REFUSED),
    (Forbidden, REFUSED),
    (InvalidArgument, USAGE),
    (ConfigError, USAGE),
    (UnknownObject, USAGE),
    (TimeoutError, TIMED_OUT),
)


def exit_status(error: BaseException) -> int:
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), FAILED)
