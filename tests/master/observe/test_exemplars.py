"""The tasks that stand for the buckets of a histogram, and what is shown of them, on the shipped engine."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import OutcomeNumber, Role
from tq.master.observe import exemplars as module
from tq.master.observe.exemplars import CHARS_MAX, ID, labels_of
from tq.master.observe.meters import MasterMeters, count

from tests.master.leased import each

from ..conftest import Bench

PAIR = ("q", "m:f")


def run(bench: Bench, seconds: float, **options: Any) -> str:
    """A task that takes so long; its id."""
    id, client, worker = new_ids(), bench.client(), bench.worker("m:f")
    client.call("get_task_queue/q", "submit", "m:f", options, [[id, b""]])
    lease, groups = worker.call("get_dispatcher", "lease", 1)
    [[leased, attempt, *_]] = each(groups)
    row = [leased, attempt, lease, int(OutcomeNumber.SUCCESS), b"", 0.0, seconds, None]
    worker.call("get_dispatcher", "finish", [row])
    worker.close()
    return show_id(id)


def shown(bench: Bench, meters: MasterMeters) -> dict[float, dict[str, str]]:
    """By its seconds, what is shown of each task that stands for a bucket."""
    found: list[Any] = []
    bench.engine.later(lambda: found.append(meters.slow.exemplars(bench.engine)))
    bench.step()
    return {one.value: one.labels for one in found[0].get(PAIR, {}).values()}


def test_the_last_task_of_each_bucket_is_shown_with_its_tags_and_without_its_arguments(bench: Bench) -> None:
    meters = count(bench.engine)
    run(bench, 0.2)
    slow = run(bench, 0.3, tags={"order": "4711", "ship-to.city": "Oslo", "arg.customer": "Ann"})
    quick = run(bench, 0.002)
    found = {0.3: {ID: slow, "order": "4711", "ship_to_city": "Oslo"}, 0.002: {ID: quick}}
    assert shown(bench, meters) == found
    # Read once: a task that was deleted since still stands for its bucket, until another one does.
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {})
    assert shown(bench, meters) == found
    run(bench, 0.003)
    assert sorted(shown(bench, meters)) == [0.003, 0.3]
    # One that was deleted before it was read stands for nothing.
    run(bench, 0.004)
    bench.client(role=Role.ADMIN).call("get_tasks", "purge", {})
    assert sorted(shown(bench, meters)) == [0.3]


def test_a_page_reads_a_bounded_number_and_the_next_one_the_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READS_MAX", 2)
    meters = count(bench.engine)
    for seconds in (0.0005, 0.003, 0.3):
        run(bench, seconds)
    assert sorted(shown(bench, meters)) == [0.003, 0.3]
    assert sorted(shown(bench, meters)) == [0.0005, 0.003, 0.3]


def test_labels_are_no_longer_than_the_standard_allows_and_differ() -> None:
    id = "01a22caa-3c4a-7000-88af-316838049cfb"
    tags = {"a-b": "first", "a.b": "second", ID: "another", "long": "x" * 100, "short": "y"}
    labels = labels_of(id, tags)
    assert labels == {ID: id, "a_b": "first", "short": "y"}
    most = labels_of(id, {"t": "z" * (CHARS_MAX - len(ID) - len(id) - 1)})
    assert sum(len(name) + len(text) for name, text in most.items()) == CHARS_MAX
