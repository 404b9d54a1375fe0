"""Locks, events and barriers, and what operators see of all."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..domain.model import Role
from .method import Audited, Contract, Method

LOCK: Final = Contract(
    "get_lock",
    {
        "acquire": Method(Role.CLIENT, repeatable=True),
        "give_up_acquire": Method(Role.CLIENT, repeatable=True),
        "release": Method(Role.CLIENT, repeatable=True),
        "add": Method(Role.CLIENT, repeatable=True, one_way=True),
        "held": Method(Role.CLIENT, repeatable=True),
        "wait": Method(Role.CLIENT, repeatable=True),
        "give_up_wait": Method(Role.CLIENT, repeatable=True),
        "notify": Method(Role.CLIENT, repeatable=True),
        "state": Method(Role.CLIENT, repeatable=True),
    },
)
EVENT: Final = Contract(
    "get_event",
    {
        "set": Method(Role.CLIENT, repeatable=True, one_way=True),
        "clear": Method(Role.CLIENT, repeatable=True, one_way=True),
        "wait": Method(Role.CLIENT, repeatable=True),
        "give_up_wait": Method(Role.CLIENT, repeatable=True),
        "state": Method(Role.CLIENT, repeatable=True),
    },
)
BARRIER: Final = Contract(
    "get_barrier",
    {
        "wait": Method(Role.CLIENT, repeatable=True),
        "give_up_wait": Method(Role.CLIENT, repeatable=True),
        "reset": Method(Role.CLIENT, repeatable=True, one_way=True),
        "abort": Method(Role.CLIENT, repeatable=True, one_way=True),
        "state": Method(Role.CLIENT, repeatable=True),
    },
)
LOCKS: Final = Contract(
    "get_locks",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "take_away": Method(Role.ADMIN, audited=Audited("broke lock", "name", counts=True)),
        "delete": Method(Role.ADMIN, audited=Audited("deleted lock", "name")),
    },
)


class LockState(NamedTuple):
    """What ``state`` of a lock or semaphore answers. ``token``: the last fencing token."""

    free: int
    waiting: int
    token: int


class EventState(NamedTuple):
    """What ``state`` of an event answers. ``times``: how often it was set."""

    is_set: bool
    times: int


class BarrierState(NamedTuple):
    """What ``state`` of a barrier answers."""

    waiting: int
    is_broken: bool
