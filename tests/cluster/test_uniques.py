"""``unique=`` through the real programs: the handle is of the task that is there, and one of many threads wins."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tq

from .conftest import Cluster


def test_of_many_submits_with_one_key_one_task_is_made(cluster: Cluster, tmp_path: Path) -> None:
    name, starts = f"q-{uuid.uuid4().hex[:8]}", tmp_path / "starts"
    noted = cluster.app.named("cluster_tasks:noted", queue=name, unique=tq.Unique(by="{order}"))
    path = str(starts)

    def submit(number: int) -> str:
        return noted.using(unique=tq.Unique()).submit(path, 7, 1.0).id

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(submit, range(24)))
    [id] = ids
    assert cluster.app.get(id).result(timeout=30) == 7
    assert starts.read_text("utf-8") == "7\n"
    again = noted.using(unique=tq.Unique()).submit(path, 7, 1.0)
    assert again.id != id
    with pytest.raises(tq.InvalidArgument, match="this call has no argument 'order'; pass it by name"):
        noted.submit(path, 7)


def test_a_conflict_is_skipped_refused_or_replaces(cluster: Cluster) -> None:
    name = f"q-{uuid.uuid4().hex[:8]}"
    job = cluster.app.named("nowhere:job", queue=name, unique=tq.Unique(by="{order}"))
    first = job.submit(order=4711)
    assert job.submit(order="4711").id == first.id
    assert job.using(unique=tq.Unique(by="{order}", on_conflict="skip")).submit(order=4711) is None
    with pytest.raises(tq.TaskConflict, match=f"task {first.id}, which is ready, has the same key '4711'"):
        job.using(unique=tq.Unique(by="{order}", on_conflict="raise")).submit(order=4711)
    with cluster.app.batch():
        second = job.using(unique=tq.Unique(by="{order}", on_conflict="replace")).submit(order=4711)
        assert second.id != first.id
    assert (first.state, second.state) == ("cancelled", "ready")
    second.cancel()
