"""Large content through real programs: there and back, named once, resumed, found damaged, refused."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tq
from tq.common.errors import UnknownBlob
from tq.common.wire.frames import FRAME_BYTES_MAX
from xprocess import XProcess

from . import blob_tasks
from .programs import Master, Worker, eventually
from .proxy import Proxy

TASKS = Path(blob_tasks.__file__)


class Shared(NamedTuple):
    master: Master
    worker: Worker
    app: tq.App


MEBIBYTE = 1024 * 1024
LARGE = 64 * MEBIBYTE
MORE_THAN_A_FRAME = 17 * MEBIBYTE + 7


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - content, not a secret


def files_of(master: Master) -> list[Path]:
    """What is whole."""
    folder = master.data / "blobs"
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "uploads")


def parts_of(master: Master) -> list[Path]:
    return list((master.data / "blobs" / "uploads").glob("*.part"))


def file_of(master: Master, blob: tq.Blob) -> Path:
    return master.data / "blobs" / blob.hash[:2] / blob.hash[2:]


@pytest.fixture(scope="module")
def shared(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A master, a worker of two slots and an app, for all tests that leave them whole."""
    home = tmp_path_factory.mktemp("blobs")
    master = Master(xprocess, home)
    try:
        master.start()
        worker = Worker(xprocess, home, master.address, master.authkey, "--slots", 2, TASKS)
        try:
            worker.start()
            with tq.App(master.url, master.authkey) as app:
                yield Shared(master, worker, app)
        finally:
            worker.end()
    finally:
        master.end()


def test_content_goes_through_a_task_and_back(shared: Shared, tmp_path: Path) -> None:
    master, app = shared.master, shared.app
    data = noise(MORE_THAN_A_FRAME, 1)
    source, target = tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_bytes(data)
    work = str(tmp_path / "work.bin")
    submit = app.named("blob_tasks:turned").submit
    submit(tq.Blob.of(source), work).result(timeout=50).save(target)
    expected = b"".join(reversed([data[at : at + MEBIBYTE] for at in range(0, len(data), MEBIBYTE)]))
    assert target.read_bytes() == expected
    files = [file_of(master, tq.Blob.of(content)) for content in (data, expected)]
    before = [(file.stat().st_size, file.stat().st_ino) for file in files]
    assert [size for size, _ in before] == [MORE_THAN_A_FRAME] * 2
    # The same content, this time from memory: nothing is stored again.
    submit(tq.Blob.of(data), work).result(timeout=50)
    assert [(file.stat().st_size, file.stat().st_ino) for file in files] == before
    assert not parts_of(master)


def test_a_retried_task_reads_its_arguments_again(shared: Shared) -> None:
    app = shared.app
    data = noise(3 * MEBIBYTE, 2)
    task = app.named("blob_tasks:second_try", retries=1, backoff=0.0)
    assert task.submit(tq.Blob.of(data)).result(timeout=30) == len(data)


def test_content_is_handed_on_between_tasks_and_given_back_as_it_came(shared: Shared) -> None:
    app = shared.app
    data = noise(2 * MEBIBYTE, 3)
    first, second, new = app.named("blob_tasks:handed_on").submit(tq.Blob.of(data)).result(timeout=30)
    assert first == second == tq.Blob.of(data)
    assert (first.read() == data, new.read()) == (True, b"new")


async def _async_map(app: tq.App, blobs: list[tq.Blob]) -> list[int]:
    handles = await app.named("blob_tasks:measured").amap(blobs)
    one = await app.named("blob_tasks:measured").asubmit(blobs[0])
    return [*[size async for size in handles.results()], await one]


def test_blobs_go_by_map_by_batch_and_from_an_event_loop(shared: Shared) -> None:
    app = shared.app
    import asyncio

    blobs = [tq.Blob.of(noise(size, 4)) for size in (0, 1, 70_000, 600_000)]
    sizes = [blob.size for blob in blobs]
    task = app.named("blob_tasks:measured")
    assert list(task.map(blobs).results(timeout=30)) == sizes
    with app.batch():
        handles = [task.submit(blob) for blob in blobs]
    assert [handle.result(timeout=30) for handle in handles] == sizes
    assert task.using(key="one").submit(blobs[1]).result(timeout=30) == 1
    assert asyncio.run(_async_map(app, blobs)) == [*sizes, 0]


def test_a_time_limit_strikes_in_the_midst_of_a_transfer_and_the_child_goes_on(
    shared: Shared, tmp_path: Path
) -> None:
    app, worker = shared.app, shared.worker
    blob = tq.Blob.of(noise(2 * MEBIBYTE, 5))
    handle = app.named("blob_tasks:endless", timeout=1.0).submit(blob, str(tmp_path / "started"))
    with pytest.raises(tq.TaskTimeout):
        handle.result(timeout=30)
    children = {child.pid for child in worker.children()}
    assert app.named("blob_tasks:measured").submit(blob).result(timeout=30) == blob.size
    assert {child.pid for child in worker.children()} == children


# the line and the master


def test_an_upload_goes_on_after_lost_connections(
    app_factory: Callable[..., tq.App], master: Master, proxy: Proxy
) -> None:
    app = app_factory(f"tq://{proxy.address}", master.authkey)
    data = noise(LARGE // 2, 6)
    submitted = threading.Thread(target=app.named("nowhere:task").submit, args=(tq.Blob.of(data),))
    submitted.start()
    for share in (0.1, 0.3, 0.6):
        eventually(lambda: any(part.stat().st_size > share * LARGE / 2 for part in parts_of(master)))  # noqa: B023
        proxy.cut()
    submitted.join(50)
    assert [file.read_bytes() == data for file in files_of(master)] == [True]


def test_an_upload_survives_a_killed_master(app: tq.App, master: Master) -> None:
    data = noise(LARGE // 2, 7)
    handles: list[tq.Handle[object]] = []
    task = app.named("nowhere:task")
    submitting = threading.Thread(target=lambda: handles.append(task.submit(tq.Blob.of(data))))
    submitting.start()
    eventually(lambda: any(part.stat().st_size > LARGE / 8 for part in parts_of(master)))
    master.restart()
    submitting.join(50)
    assert handles[0].state == tq.State.READY
    assert [file.read_bytes() == data for file in files_of(master)] == [True]


def test_what_was_stored_is_there_after_a_kill(
    app: tq.App, master: Master, worker_factory: Callable[..., Worker]
) -> None:
    data = noise(5 * MEBIBYTE, 8)
    handle = app.named("blob_tasks:measured").submit(tq.Blob.of(data))
    master.restart()
    worker_factory(tasks=TASKS)
    assert handle.result(timeout=30) == len(data)


def test_a_worker_delivers_large_content_over_lost_connections(
    app: tq.App, master: Master, proxy: Proxy, worker_factory: Callable[..., Worker], tmp_path: Path
) -> None:
    worker_factory(tasks=TASKS, address=proxy.address)
    data = noise(LARGE // 2, 9)
    handle = app.named("blob_tasks:turned").submit(tq.Blob.of(data), str(tmp_path / "work.bin"))
    eventually(lambda: any(part.stat().st_size > LARGE / 8 for part in parts_of(master)), 40)
    proxy.cut()
    result = handle.result(timeout=50)
    assert (result.size, handle.attempts[-1].attempt) == (LARGE // 2, 1)


# what is refused


def test_a_truncated_file_is_reported_and_healed_by_sending_it_again(
    shared: Shared, app_factory: Callable[..., tq.App]
) -> None:
    app, master = shared.app, shared.master
    data = noise(MEBIBYTE, 10)
    task = app.named("blob_tasks:measured")
    assert task.submit(tq.Blob.of(data)).result(timeout=30) == len(data)
    os.truncate(file_of(master, tq.Blob.of(data)), 1_000)
    with pytest.raises(tq.TaskError, match=r"has 1,000 of 1,048,576 bytes on the disk of the master"):
        task.submit(tq.Blob.of(data)).result(timeout=30)
    another = app_factory(master.url, master.authkey)
    assert another.named("blob_tasks:measured").submit(tq.Blob.of(data)).result(timeout=30) == len(data)


def test_a_changed_byte_is_found_by_who_reads(shared: Shared) -> None:
    app = shared.app
    data = noise(MEBIBYTE, 11)
    task = app.named("blob_tasks:measured")
    task.submit(tq.Blob.of(data)).result(timeout=30)
    file_of(shared.master, tq.Blob.of(data)).write_bytes(b"?" + data[1:])
    with pytest.raises(tq.TaskError, match="does not have that hash"):
        task.submit(tq.Blob.of(data)).result(timeout=30)


@pytest.fixture
def offered(shared: Shared) -> Callable[[str], tq.Task[..., Any, Any]]:
    """The worker's tasks, as functions that an Executor or a Pool takes."""

    def task(name: str) -> tq.Task[..., Any, Any]:
        return shared.app.task(name=f"blob_tasks:{name}")(lambda *args: args)

    return task


def test_an_executor_takes_blobs_and_gives_them_back(
    shared: Shared, offered: Callable[[str], tq.Task[..., Any, Any]]
) -> None:
    contents = [noise(size, size) for size in (0, 1, 70_000, MEBIBYTE)]
    blobs = [tq.Blob.of(content) for content in contents]
    sizes = [len(content) for content in contents]
    with tq.Executor(app=shared.app) as executor:
        given = executor.submit(offered("handed_on"), blobs[-1]).result(30)
        assert [blob.read() for blob in given] == [contents[-1], contents[-1], b"new"]
        assert list(executor.map(offered("measured"), blobs, timeout=30)) == sizes
        assert list(executor.map(offered("measured"), blobs * 2, chunksize=3, timeout=30)) == sizes * 2


def test_a_pool_takes_blobs_and_gives_them_back(
    shared: Shared, offered: Callable[[str], tq.Task[..., Any, Any]], tmp_path: Path
) -> None:
    contents = [noise(MEBIBYTE // 2, 11), noise(MEBIBYTE + 9, 12), b""]
    blobs = [tq.Blob.of(content) for content in contents]
    calls = [(blob, str(tmp_path / f"turned-{index}")) for index, blob in enumerate(blobs)]
    with tq.Pool(app=shared.app) as pool:
        assert pool.apply(offered("measured"), (blobs[0],)) == len(contents[0])
        turned = pool.starmap(offered("turned"), calls, chunksize=2)
        assert [blob.size for blob in turned] == [len(content) for content in contents]
        assert turned[0].read() == contents[0]
        assert sorted(pool.imap_unordered(offered("measured"), blobs)) == sorted(map(len, contents))
        [inside] = pool.map(offered("handed_on"), blobs[:1])
        assert inside[2].read() == b"new"


def test_a_file_that_has_changed_is_refused_by_an_executor_and_is_the_result_of_a_pool(
    shared: Shared, offered: Callable[[str], tq.Task[..., Any, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one" * 1_000)
    blob = tq.Blob.of(path)
    path.write_bytes(b"two" * 1_001)
    task = offered("measured")
    with tq.Executor(app=shared.app) as executor:
        with pytest.raises(tq.InvalidArgument, match="has changed since"):
            executor.submit(task, blob)
        assert executor.submit(task, tq.Blob.of(path)).result(30) == 3_003
    with tq.Pool(app=shared.app) as pool:
        with pytest.raises(tq.InvalidArgument, match="has changed since"):
            pool.map_async(task, [blob]).get(30)
        assert pool.map_async(task, [tq.Blob.of(path)]).get(30) == [3_003]


def test_a_result_that_changes_while_it_is_sent_fails_its_attempt(shared: Shared, tmp_path: Path) -> None:
    app = shared.app
    handle = app.named("blob_tasks:damaged_on_the_way").submit(str(tmp_path / "result"))
    with pytest.raises(tq.TaskError, match="has changed since"):
        handle.result(timeout=30)


def test_what_is_over_the_frame_limit_is_refused_with_size_limit_and_the_ways_out(shared: Shared) -> None:
    app = shared.app
    ways_out = "large data travels with a task as a tq.Blob, and anywhere as a path on shared storage"
    with pytest.raises(
        tq.InvalidArgument, match=rf"20,971,\d\d\d bytes, the limit is 16,7\d\d,\d\d\d; {ways_out}"
    ):
        app.named("blob_tasks:measured").submit(b"x" * 20 * MEBIBYTE)
    with pytest.raises(
        tq.TaskError, match=rf"the result has 20,971,\d\d\d bytes, the limit is 16,773,120; {ways_out}"
    ):
        app.named("blob_tasks:large").submit(20 * MEBIBYTE).result(timeout=30)
    assert len(app.named("blob_tasks:large").submit(15 * MEBIBYTE).result(timeout=30)) == 15 * MEBIBYTE
    assert FRAME_BYTES_MAX == 16 * MEBIBYTE


def test_content_the_master_has_no_longer_is_named_when_it_is_wanted(shared: Shared) -> None:
    app = shared.app
    [*_, result] = app.named("blob_tasks:handed_on").submit(tq.Blob.of(b"x" * 100_000)).result(timeout=30)
    file_of(shared.master, result).unlink()
    with pytest.raises(UnknownBlob, match="is missing on the disk of the master"):
        result.read()
