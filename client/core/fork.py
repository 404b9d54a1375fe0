"""What happens when a program forks: one fixed order of steps, independent of the order of imports.

::

    before     every guarded lock is taken, so that no child inherits it locked by a thread that it does not have
    parent     they are released
    child      they are released; only then are the parent's connections dropped, because that may need the locks
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, Protocol, TypeVar


class GuardedLock(Protocol):
    """Of ``threading``: a Lock or an RLock."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


L = TypeVar("L", bound=GuardedLock)

_guarded: Final[list[GuardedLock]] = []
_in_child: Final[list[Callable[[], None]]] = []


def guard(lock: L) -> L:
    """A lock of a module, which a child of a fork finds free."""
    _guarded.append(lock)
    return lock


def in_child(act: Callable[[], None]) -> None:
    """To be called in every child of a fork, before anything else runs there."""
    _in_child.append(act)


def _before() -> None:
    for lock in _guarded:
        lock.acquire()


def _after() -> None:
    for lock in reversed(_guarded):
        lock.release()


def _after_in_child() -> None:
    _after()
    for act in _in_child:
        act()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after_in_child)
