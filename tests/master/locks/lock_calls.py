"""One good call of every method of item queues, locks, events, barriers and named values: part of the tables of ``tests/master/api/test_registry.py``."""

from __future__ import annotations

from typing import Any

from tq.common.values.codec import encode_call

TOKEN = b"k" * 16
TARGETS: dict[str, tuple[Any, ...]] = {
    "get_queue": ("q",),
    "get_lock": ("q", "semaphore", 1),
    "get_event": ("q",),
    "get_barrier": ("q", 2),
    "get_datum": ("dict", "q"),
}
GOOD_ITEM_CALLS: dict[str, list[Any]] = {
    "make": [],
    "shutdown": [True],
    "reopen": [],
    "put": [TOKEN, 1, b"item", True, None],
    "give_up_put": [TOKEN, 2],
    "get": [TOKEN, False],
    "give_up_get": [TOKEN],
    "confirm": [[TOKEN]],
    "release": [[TOKEN]],
    "task_done": [TOKEN, 3, 1],
    "join": [],
    "size": [],
    "peek": [5],
}
GOOD_LOCK_CALLS: dict[str, dict[str, list[Any]]] = {
    "get_lock": {
        "acquire": [TOKEN, True],
        "give_up_acquire": [TOKEN],
        "release": [TOKEN],
        "add": [TOKEN, 1],
        "held": [TOKEN],
        "wait": ["c", TOKEN, b"n" * 16],
        "give_up_wait": ["c", TOKEN],
        "notify": ["c", TOKEN, 1],
        "state": [],
    },
    "get_event": {
        "set": [TOKEN],
        "clear": [TOKEN],
        "wait": [TOKEN, 0],
        "give_up_wait": [TOKEN, 0],
        "state": [],
    },
    "get_barrier": {
        "wait": [TOKEN],
        "give_up_wait": [TOKEN],
        "reset": [TOKEN],
        "abort": [],
        "state": [],
    },
    "get_datum": {
        "make": [encode_call(({"k": 1},), {})],
        "call": [TOKEN, 1, "get", encode_call(("k",), {}), []],
    },
}
