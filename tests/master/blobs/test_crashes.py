"""The master dies at every step of a content's life, before its commit or after it: what a task names is there,
whole, and of all else nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.values.blob import Blob
from tq.master.blobs.blobs import KEEP_MS
from tq.master.store.sqlite.store import SqliteStore

from .conftest import BlobBench

DATA = bytes(range(100))
NAMED, UNNAMED = Blob.of(DATA), Blob.of(DATA[::-1])


class Crash(BaseException):
    pass


def steps(bench: BlobBench) -> Iterator[Callable[[], object]]:
    """Two contents come, a task names one of them, an hour passes, the task is forgotten, another hour passes."""
    client = bench.client()

    def later() -> None:
        now = bench.now
        bench.now = now._replace(wall=now.wall + KEEP_MS, mono=now.mono + KEEP_MS)

    def until_quiet() -> Iterator[Callable[[], object]]:
        yield bench.step
        while bench.disk.jobs:
            yield lambda: bench.disk.work(1)
            yield bench.step

    yield from until_quiet()
    for blob, data in ((NAMED, DATA), (UNNAMED, DATA[::-1])):
        for at in (0, 50):
            client.ask("get_blobs", "put", blob.digest, 100, at, data[at : at + 50])
            yield from until_quiet()
    id = new_ids()
    client.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b""]], None, [[id, [NAMED.digest]]])
    yield from until_quiet()
    later()
    yield from until_quiet()
    client.ask("get_tasks", "cancel", [id])
    yield from until_quiet()
    bench.engine.core.limits = bench.engine.limits.__class__(result_ttl_ms=0)
    later()
    yield from until_quiet()
    later()
    yield from until_quiet()


def live(bench: BlobBench, upto: int, *, loses_commit: bool) -> int:
    """Die at that step, without its commit if it is a transaction; how many steps there were."""

    def dies() -> None:
        raise Crash

    count = 0
    for count, step in enumerate(steps(bench), 1):
        if count == upto:
            with suppress(Crash):
                bench.step(commit=dies) if loses_commit and step == bench.step else step()
            break
        step()
    return count


def what_is_wrong(bench: BlobBench) -> list[str]:
    """After a new master has looked around."""
    bench.settle()
    rows: list[Any] = bench.engine.store._run("SELECT hash, size, refs FROM blobs")  # type: ignore[attr-defined]
    named = bench.engine.store._run("SELECT seq, hash FROM task_blobs LEFT JOIN blobs USING (blob)")  # type: ignore[attr-defined]
    wrong = [f"task {seq} names nothing" for seq, hash in named if hash is None]
    for hash, size, refs in rows:
        if bench.files.size_of(hash) != size or Blob.of(bench.files.path(hash).read_bytes()).digest != hash:
            wrong.append(f"a row with {refs} references and no file")
    here = {row[0] for row in rows}
    for folder in bench.files.folders():
        wrong += [
            f"a file without a row in {folder}" for hash in bench.files.hashes(folder) if hash not in here
        ]
    return wrong + [f"a part is left: {part}" for part in (bench.files.root / "uploads").iterdir()]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[int], BlobBench]]:
    stores: list[SqliteStore] = []

    def make(number: int) -> BlobBench:
        stores.append(SqliteStore(tmp_path / f"{number}.db", "os"))
        return BlobBench(stores[-1], tmp_path / f"blobs-{number}")

    yield make
    for store in stores:
        store.close()


@pytest.mark.parametrize("loses_commit", [False, True])
def test_no_death_leaves_a_name_without_content_or_content_without_a_row(
    make: Callable[[int], BlobBench], loses_commit: bool
) -> None:
    whole = make(0)
    total = live(whole, 10**9, loses_commit=False)
    assert total > 25
    assert (whole.content(NAMED), whole.content(UNNAMED)) == (None, None)
    kept = set()
    for upto in range(1, total + 1):
        first = make(upto)
        live(first, upto, loses_commit=loses_commit)
        first.engine.store.close()
        again = make(upto)
        again.now = first.now
        assert what_is_wrong(again) == [], f"after step {upto} of {total}"
        kept.add((again.content(NAMED) is not None, again.content(UNNAMED) is not None))
        again.engine.store.close()
    assert kept == {(False, False), (True, False), (True, True)}
