"""Rows of what arrays are for: tasks submitted one by one, chunks that are chosen, ends of every size, deletion, many workers. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .figures import Goal, Numbers, Row, at_least, show_megabytes, show_rate, show_seconds, times

SINGLES_GOAL: Final = 60_000
RETRIED_GOAL: Final = 25_000
SINGLES: Final = {
    "executor": "single tasks by `Executor.submit`, every result in the client's hand",
    "threads": "… by 8 threads",
    "batch": "… by `submit` in a `batch()`",
    "stored": "… by `submit` of 8 threads, each call of which returns when its task is stored",
}
ENDS: Final = {
    "1000": "a map that ended in slices of 1,000",
    "10": "… of 10",
    "1": "… of 1",
    "failing10": "a map of which 10 % failed once and were retried",
    "failing100": "… of which all",
}


def array_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    makers: list[Callable[[Numbers], list[Row]]] = [_singles, _chunks, _ends, _purge, _transactions, _memory]
    made: list[Row] = []
    for maker in makers:
        try:
            made += maker(numbers)
        except KeyError:
            continue  # not measured this time
    return made


def _singles(numbers: Numbers) -> list[Row]:
    local = f"`ProcessPoolExecutor.submit`, local, in memory: {show_rate(numbers['singles.local.tasks'])}"
    made = []
    for name, title in SINGLES.items():
        rate = numbers[f"singles.{name}.tasks"]
        row = at_least(title, rate, SINGLES_GOAL, show_rate(rate), local)
        made.append(replace(row, goal=None) if name == "stored" else row)  # each waits for the disk
    return made


def _chunks(numbers: Numbers) -> list[Row]:
    local = numbers["pools.pool.1.local.items"]
    beside = f"the standard library's, chunk size 1: {show_rate(local)}"
    given, chosen = numbers["pools.pool.1.tq.items"], numbers["pools.chosen.items"]
    return [
        times(
            "`Pool.imap_unordered`, chunk size 1",
            given,
            local,
            beside,
            least=1.2,
            figure=show_rate(given),
        ),
        times("… not given", chosen, local, beside, least=5, figure=show_rate(chosen)),
    ]


def _ends(numbers: Numbers) -> list[Row]:
    made = []
    for name, title in ENDS.items():
        rate, memory, file, start = (
            numbers[f"ended.{name}.{what}"]
            for what in ("tasks", "memory_bytes", "file_bytes", "start_seconds")
        )
        beside = f"a task: {file:,.0f} bytes of the file, {memory:,.0f} of memory; start {start:.2f} s"
        is_retried = name.startswith("failing")
        goal = Goal(words=f"≥ {RETRIED_GOAL:,} /s", value=rate, bound=RETRIED_GOAL) if is_retried else None
        made.append(Row(title=title, figure=show_rate(rate), beside=beside, goal=goal))
    return made


def _purge(numbers: Numbers) -> list[Row]:
    before, during, share = (
        numbers[f"purge.{what}"] for what in ("before_seconds", "during_seconds", "share")
    )
    return [
        Row(
            title="round trip while old results are deleted, p50",
            figure=show_seconds(during),
            beside=f"before: {show_seconds(before)} ({during / before:.2f} ×)",
            goal=Goal(words="≤ 2 × of it", value=during / before, bound=2, most=True),
        ),
        Row(
            title="… deleting them, of a core",
            figure=f"{share:.1%}",
            beside=f"{show_rate(numbers['purge.tasks'])} deleted",
            goal=Goal(words="≤ 10 %", value=share, bound=0.1, most=True),
        ),
    ]


def _transactions(numbers: Numbers) -> list[Row]:
    few, many = numbers["transaction.few_seconds"], numbers["transaction.many_seconds"]
    return [
        Row(
            title=f"an empty transaction with {numbers['transaction.many_workers']:,.0f} workers connected",
            figure=show_seconds(many),
            beside=f"with 10: {show_seconds(few)}",
            goal=Goal(words="≤ 20 µs", value=many, bound=20e-6, most=True),
        )
    ]


def _memory(numbers: Numbers) -> list[Row]:
    each = numbers["crowd.worker_bytes"]
    return [
        Row(
            title="memory of the master for each connected worker",
            figure=f"{each / 1e3:,.0f} KB",
            beside=f"{show_megabytes(numbers['crowd.master_bytes'])} with none",
            goal=Goal(words="≤ 30 KB", value=each, bound=30e3, most=True),
        )
    ]
