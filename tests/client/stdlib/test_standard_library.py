"""What the standard library's classes have, ours have, by the same names of methods and arguments, or a page says what differs."""

from __future__ import annotations

import concurrent.futures
import inspect
import multiprocessing.managers
import multiprocessing.pool
import queue
import threading
from pathlib import Path
from typing import Any

import pytest
import tq
from tq import managers
from tq.client.items import queue as item_queue
from tq.client.locks import events_and_barriers as sync
from tq.client.locks import locks
from tq.client.stdlib import pool_results, proxies

ROOT = Path(__file__).resolve().parents[3]
THEIRS = multiprocessing.managers
PAIRS: list[tuple[type, type, str]] = [
    (THEIRS.BaseManager, managers.BaseManager, "from-managers"),
    (THEIRS.SyncManager, managers.SyncManager, "from-managers"),
    (THEIRS.BaseProxy, managers.BaseProxy, "from-managers"),
    (THEIRS.DictProxy, proxies.DictProxy, "from-managers"),  # type: ignore[attr-defined]
    (THEIRS.ListProxy, proxies.ListProxy, "from-managers"),
    (THEIRS.NamespaceProxy, managers.NamespaceProxy, "from-managers"),  # type: ignore[attr-defined]
    (THEIRS.ValueProxy, proxies.ValueProxy, "from-managers"),
    (threading.Event, sync.Event, "from-managers"),
    (threading.Barrier, sync.Barrier, "from-managers"),
    (threading.Condition, locks.Condition, "from-managers"),
    (threading.Semaphore, locks.Semaphore, "from-managers"),
    (threading.BoundedSemaphore, locks.BoundedSemaphore, "from-managers"),
    (queue.Queue, item_queue.ItemQueue, "from-queue"),
    (queue.SimpleQueue, item_queue.SimpleQueue, "from-queue"),
    (multiprocessing.pool.Pool, tq.Pool, "from-pool"),
    (multiprocessing.pool.AsyncResult, pool_results.AsyncResult, "from-pool"),
    (multiprocessing.pool.IMapIterator, pool_results.IMapIterator, "from-pool"),
    (concurrent.futures.ProcessPoolExecutor, tq.Executor, "from-futures"),
]
# Undocumented and private, or deprecated and not part of proxies.
INNER = {"Process", "all_tasks_done", "is_mutex", "mutex", "not_empty", "not_full", "unfinished_tasks"}
INNER |= {"isSet", "notifyAll"}


def page(name: str) -> str:
    return (ROOT / "docs/howto" / f"{name}.md").read_text("utf-8")


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")} - INNER


@pytest.mark.parametrize(
    ("theirs", "ours", "where"), PAIRS, ids=lambda value: getattr(value, "__name__", value)
)
def test_every_public_name_is_there_or_is_listed_as_missing(theirs: type, ours: type, where: str) -> None:
    text = page(where)
    missing = [name for name in sorted(public(theirs) - public(ours)) if f"`{name}" not in text]
    assert not missing, f"{ours.__name__} has no {missing}; docs/howto/{where}.md says nothing of it"


@pytest.mark.parametrize(
    ("theirs", "ours", "where"), PAIRS, ids=lambda value: getattr(value, "__name__", value)
)
def test_every_argument_has_its_name_or_is_listed_as_missing(theirs: type, ours: type, where: str) -> None:
    text = page(where)
    missing = [
        f"{name}({argument})"
        for name in sorted((public(theirs) & public(ours)) | {"__init__"})
        for argument in arguments(theirs, name) - arguments(ours, name)
        if f"`{argument}" not in text and f"({argument}" not in text and f"{argument}=" not in text
    ]
    takes_all = {name for name in public(ours) | {"__init__"} if takes_any(ours, name)}
    missing = [one for one in missing if one.partition("(")[0] not in takes_all]
    assert not missing, f"{ours.__name__}: {missing}; docs/howto/{where}.md says nothing of it"


def parameters(kind: type, name: str) -> list[inspect.Parameter]:
    function: Any = getattr(kind, name, None)
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, and no word of its arguments
        return []


def arguments(kind: type, name: str) -> set[str]:
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {one.name for one in parameters(kind, name) if one.kind in plain} - {"self", "fn", "func"}


def takes_any(kind: type, name: str) -> bool:
    return any(one.kind == inspect.Parameter.VAR_KEYWORD for one in parameters(kind, name))
