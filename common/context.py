"""What a running task may know of itself: ``tq.Context``, injected by annotation or asked for by ``current``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One attempt of one task."""

    id: str  # the task's id, as text
    attempt: int  # 1, 2, …: grows with every try
    queue: str
    name: str
    token: str  # of this attempt's lease: nobody else ever has the same; for fencing side effects
    deadline: float | None  # Unix seconds at which its time limit strikes; None: no limit

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for this task's end."""
        return _cancelled is not None and _cancelled()


_maker: Callable[[], Context | None] | None = None
_cancelled: Callable[[], bool] | None = None


def current() -> Context | None:
    """The context of the task that runs in this process; None outside a worker's child."""
    return _maker() if _maker is not None else None


def provide(maker: Callable[[], Context | None], cancelled: Callable[[], bool]) -> None:
    """Called once by a worker's child: how ``current`` and ``Context.cancelled`` find their answers."""
    global _maker, _cancelled
    _maker, _cancelled = maker, cancelled
