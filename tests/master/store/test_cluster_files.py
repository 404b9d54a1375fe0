"""A data directory whose files are not what they were: a clear sentence or a safe start, and never a new identity in silence."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from tq.common.auth.certificate import fingerprint
from tq.common.auth.keys import Credential, make_token_verifier
from tq.common.domain.model import Role
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.wire.address import Address
from tq.common.wire.tls import server_context
from tq.master.app import MasterResources, Opening, open_resources
from tq.master.check import check
from tq.master.gateway.options import GatewayArguments
from tq.master.keys.keyring import Keyring
from tq.master.store import directory_lock
from tq.master.store.cluster_files import DEFAULT_START, StartOptions, key_file
from tq.master.store.directory_lock import LOCK_FILE, LOOKS, DataLock, holder
from tq.master.store.interface.tasks import NewTasks

CONTENT: Final = "blobs/ab/cdef"
TASK: Final = b"t" * 16
FILES: Final = (
    "tq.db",
    "tq.db-wal",
    "tq.db-shm",
    "master.crt",
    "master.key",
    "admin.key",
    "client.key",
    "worker.key",
    "master.lock",
    "blobs",
    "blobs/uploads",
)
REMEDIES: Final = ("restore", "move it away", "remove", "rm ", "mv ", "chown", "writable", "sqlite3 tq.db")
ANOTHER_USER: Final = 65_534


@dataclass
class Start:
    """What came of one: an error, or the identity it started with and what it said."""

    error: str = ""
    cluster: str = ""
    pin: str = ""
    has_task: bool = False
    keys: dict[str, str] = field(default_factory=dict)  # the file's key, by role; as the store has it
    said: list[str] = field(default_factory=list)


def settings(data: Path, **others: Any) -> MasterSettings:
    return MasterSettings(data=data, **others)


def opened(data: Path, report: Callable[..., None] = lambda *_, **__: None, **meant: bool) -> MasterResources:
    return open_resources(Opening(settings(data), None, report, StartOptions(**meant)))


def test_what_a_master_makes_is_for_its_owner_only_and_the_mask_of_its_process_is_left_as_it_is(
    tmp_path: Path,
) -> None:
    """It may run in a process that is another's: a test's, whose next program could not read its own configuration."""
    before = os.umask(0)
    try:
        resources = opened(tmp_path / "data")
        made = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
        assert any(one.name.endswith("-wal") for one in made)
        assert [one.name for one in made if stat.S_IMODE(one.stat().st_mode) & 0o77] == []
        assert resources.close() is None
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def start(data: Path, **meant: bool) -> Start:
    """Start a master there, as far as it opens a port, and end it."""
    said: list[str] = []
    try:
        resources = opened(data, lambda action, **_: said.append(action), **meant)
    except ConfigError as error:
        return Start(error=str(error), said=said)
    try:
        server_context(resources.certificate, resources.certificate_key, None)  # as it listens with
        return Start(
            cluster=resources.cluster_id.hex(),
            pin=resources.engine.part(Keyring).pin.hex(),
            has_task=bool(resources.store.find([TASK])),
            keys={
                str(role): known_key(resources, data, role) for role in (Role.ADMIN, Role.CLIENT, Role.WORKER)
            },
            said=said,
        )
    except ConfigError as error:
        return Start(error=str(error), said=said)
    finally:
        resources.close()


def known_key(resources: MasterResources, data: Path, role: Role) -> str:
    """The id of a file's key, if the store lets it in as that role, by that certificate."""
    credential = Credential.parse(key_file(data, role).read_text())
    known = resources.engine.part(Keyring).find(credential.key_id)
    own = make_token_verifier(credential.key_id, credential.secret, role=role)
    assert known is not None
    assert not known.is_revoked
    assert (known.stored_key, known.role) == (own.stored_key, role)
    assert credential.pin == resources.engine.part(Keyring).pin
    return credential.key_id


def lived_in(folder: Path) -> Path:
    """A data directory as a master leaves it that was killed: with an accepted task, in the log still, and content."""
    data = folder / "running"
    resources = opened(data)
    resources.store.begin()
    route = resources.store.add_route("q", "m:f")
    assert resources.store.insert([NewTasks(route=route, state=0, created=1, tasks=[(1, TASK, b"x")])])
    resources.store.blobs.put(b"h" * 32, 4, 2**60)
    resources.store.commit()
    content = data / CONTENT
    content.parent.mkdir()
    content.write_bytes(b"blob")
    left = folder / "left"
    shutil.copytree(data, left)
    resources.close()
    left.chmod(0o700)
    assert (left / "tq.db-wal").stat().st_size
    return left


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lived_in(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def before(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Start:
    return start(copied(template, tmp_path_factory.mktemp("before")))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of another cluster."""
    return lived_in(tmp_path_factory.mktemp("another"))


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    return copied(template, tmp_path)


def copied(template: Path, folder: Path) -> Path:
    data = folder / "data"
    shutil.copytree(template, data)
    data.chmod(0o700)
    return data


def removed(file: Path) -> None:
    shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)


def emptied(file: Path) -> None:
    removed(file)
    file.touch()


def filled(file: Path) -> None:
    removed(file)
    file.write_bytes(b"\x93garbage, whatever it was before\n" * 200)


def made_a_directory(file: Path) -> None:
    removed(file)
    (file / "in it").mkdir(parents=True)


HARM: Final[dict[str, Callable[[Path], None]]] = {
    "missing": removed,
    "empty": emptied,
    "garbage": filled,
    "a directory": made_a_directory,
}


def judge(result: Start, before: Start, name: str) -> None:
    """Refused, with the file and what to do; or the same cluster with all its work; or said aloud."""
    if result.error:
        assert name in result.error, result.error
        assert any(remedy in result.error for remedy in REMEDIES), result.error
        return
    assert (result.cluster, result.pin) == (before.cluster, before.pin)
    changed = [role for role, key in result.keys.items() if key != before.keys[role]]
    assert changed in ([], [name.removesuffix(".key")])
    lost = not result.has_task
    assert not lost or "store.log_missing" in result.said, (
        f"a task is gone, and nothing was said: {result.said}"
    )


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_what_it_was(
    name: str, harm: str, data: Path, before: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    HARM[harm](data / name)
    judge(start(data), before, name)


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("blobs")])
def test_a_file_of_another_cluster(name: str, data: Path, before: Start, another: Path) -> None:
    if name == "tq.db-wal":
        pytest.skip("SQLite itself reads it as its own, or damages the file: `tq-master check` finds that")
    shutil.copy(another / name, data / name)
    judge(start(data), before, name)


def test_a_store_of_another_cluster_does_not_fit_the_certificate(
    data: Path, another: Path, tmp_path: Path
) -> None:
    other = copied(another, tmp_path / "other")
    for each in (data, other):
        assert not start(each).error  # it is closed in order: all is in its one file
    shutil.copy(other / "tq.db", data / "tq.db")
    assert "master.crt is of another cluster than" in start(data).error


def as_another_user(data: Path) -> Start:
    """The start of a user who is not root, to whom a file can be unreadable."""
    for path in (data, *data.rglob("*")):
        os.chown(path, ANOTHER_USER, ANOTHER_USER)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(ANOTHER_USER)
            os.setuid(ANOTHER_USER)
            os.write(writing, json.dumps(vars(start(data))).encode())
        except BaseException as error:
            os.write(writing, json.dumps(vars(Start(error=f"died: {error!r}"))).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return Start(**json.loads(text))


@pytest.fixture
def readable_by_all(template: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tq-unreadable-"))
    folder.chmod(0o755)
    yield copied(template, folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read(name: str, readable_by_all: Path, before: Start) -> None:
    data = readable_by_all
    (data / name).chmod(0)
    result = as_another_user(data) if os.geteuid() == 0 else start(data)
    if (data / name).is_dir():
        (data / name).chmod(0o700)
    judge(result, before, name)


@pytest.mark.parametrize("harm", [*HARM, "of another cluster"])
@pytest.mark.parametrize("name", FILES)
def test_a_check_finds_what_a_start_would_refuse(name: str, harm: str, data: Path, another: Path) -> None:
    if harm in HARM:
        HARM[harm](data / name)
    elif not (data / name).is_dir():
        shutil.copy(another / name, data / name)
    found = check(
        settings(data, bind=Address("127.0.0.1", 0)), None, GatewayArguments(None, None, False), DEFAULT_START
    )
    errors = [str(one) for one in found.findings if one.level == "error"]
    error = start(data).error
    assert bool(errors) >= bool(error), error
    if errors and not error:
        assert name in ("tq.db", "tq.db-wal"), f"a start takes it, a check does not: {errors}"


# the store


def test_keys_without_a_store_start_nothing_and_the_sentence_says_what_to_do(data: Path) -> None:
    for name in ("tq.db", "tq.db-wal", "tq.db-shm"):
        (data / name).unlink()
    names = {file.name for file in data.iterdir()}
    error = start(data).error
    for text in (
        "tq.db is missing",
        "master.crt",
        "worker.key",
        "blobs/",
        "restore it from a copy",
        "--new-store",
    ):
        assert text in error
    assert {file.name for file in data.iterdir()} == names, "nothing was made"


def test_a_new_store_that_is_meant_has_no_tasks_and_lets_in_the_keys_that_are_there(
    data: Path, before: Start
) -> None:
    for name in ("tq.db", "tq.db-wal", "tq.db-shm"):
        (data / name).unlink()
    result = start(data, new_store=True)
    assert not result.error
    assert (result.has_task, result.keys, result.pin) == (False, before.keys, before.pin)
    assert result.cluster != before.cluster
    assert start(data).cluster == result.cluster, "the next start needs no word for it"


def test_a_new_store_is_not_made_where_there_is_one(data: Path) -> None:
    assert (
        "tq.db is there, and --new-store is for a directory whose store is gone"
        in start(data, new_store=True).error
    )


def test_a_store_that_knows_no_cluster_is_one_that_was_lost(data: Path) -> None:
    assert not start(data).error
    with sqlite3.connect(data / "tq.db") as db:
        db.execute("DELETE FROM meta WHERE name = 'cluster_id'")
    db.close()
    assert (
        "tq.db knows no cluster (its log tq.db-wal may have been removed), but beside it are master.crt"
        in start(data).error
    )


def test_a_certificate_of_ones_own_may_come_before_the_first_start(tmp_path: Path) -> None:
    from ...cluster.test_own_ca import sign

    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    own = sign("our master", sign("our CA"))
    (data / "master.crt").write_bytes(own.certificate_pem)
    (data / "master.key").write_bytes(own.key_pem)
    first = start(data)
    assert not first.error
    renewed = sign("our master", sign("our CA"))
    (data / "master.crt").write_bytes(renewed.certificate_pem)
    (data / "master.key").write_bytes(renewed.key_pem)
    second = start(data)
    assert "certificate.changed" in second.said
    assert second.keys == first.keys, "their files name the new certificate"


def test_a_lost_certificate_is_replaced_when_that_is_meant_and_the_keys_stay(
    data: Path, before: Start
) -> None:
    (data / "master.crt").unlink()
    (data / "master.key").unlink()
    assert "master.crt and master.key are missing, and every join token names that" in start(data).error
    after = start(data, new_certificate=True)
    assert after.keys == before.keys
    assert after.pin != before.pin
    assert after.has_task
    assert "start without it" in start(data, new_certificate=True).error


def test_a_log_that_was_removed_after_a_kill_is_said_aloud_and_after_an_orderly_end_it_is_none(
    data: Path,
) -> None:
    assert start(data).said == [], "it was killed, and its log is there"
    assert not (data / "tq.db-wal").exists()
    assert start(data).said == [], "it was ended, and left no log"
    resources = opened(data)
    resources.shards[0].opened.lock.release()  # as the kernel does of a process that dies
    resources.store._db.close()  # type: ignore[attr-defined]
    assert start(data).said == ["store.log_missing"]


def test_the_first_start_can_end_anywhere_and_the_next_one_goes_on(tmp_path: Path) -> None:
    for number in range(1, 40):
        data = tmp_path / str(number)
        if not die_at(number, data):
            break
        result = start(data)
        assert not result.error, f"after {number} calls: {result.error}"
        assert stat.S_IMODE(key_file(data, Role.ADMIN).stat().st_mode) == 0o600
    assert number > 8


def die_at(number: int, data: Path) -> bool:
    """A first start in a child that ends at its so manieth sync or rename; whether it came so far."""
    child = os.fork()
    if child == 0:
        calls = 0

        def mortal(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == number:
                    os._exit(1)
                return real(*arguments, **named)

            return call

        from tq.common.auth import certificate
        from tq.master.store.sqlite.store import SqliteStore

        os.replace = mortal(os.replace)  # type: ignore[assignment]
        SqliteStore.commit = mortal(SqliteStore.commit)  # type: ignore[method-assign]
        SqliteStore.begin = mortal(SqliteStore.begin)  # type: ignore[method-assign]
        assert certificate
        try:
            opened(data).close()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


# the lock


def test_a_second_master_is_refused_even_if_the_lock_was_removed(data: Path) -> None:
    resources = opened(data)
    try:
        for name in (LOCK_FILE, "tq.db-shm", "tq.db-wal", "tq.db"):
            (data / name).unlink()
            assert holder(data) is not None
            assert "another tq-master (process" in start(data).error
    finally:
        resources.close()


def test_a_lock_that_is_given_up_is_free_at_once(tmp_path: Path) -> None:
    DataLock(tmp_path).release()
    again = DataLock(tmp_path)
    assert not again.was_closed
    assert holder(tmp_path) == str(os.getpid())
    again.release(closed=True)
    assert holder(tmp_path) is None
    assert DataLock(tmp_path).was_closed


def test_a_master_that_starts_while_someone_looks_who_uses_the_directory_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DataLock(tmp_path).release(closed=True)
    look, looks = os.open(tmp_path, os.O_RDONLY), list[float]()
    fcntl.flock(look, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as ``holder`` in another process, amid its question

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == LOOKS - 1:
            os.close(look)  # the answer is there

    monkeypatch.setattr(directory_lock.time, "sleep", wait)
    lock = DataLock(tmp_path)
    assert len(looks) == LOOKS - 1
    assert lock.was_closed
    lock.release(closed=True)


def test_several_who_look_who_uses_a_directory_do_not_see_one_another(tmp_path: Path) -> None:
    DataLock(tmp_path).release(closed=True)
    look = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert holder(tmp_path) is None
    os.close(look)


def test_the_pin_of_a_cluster_is_that_of_its_certificate(data: Path, before: Start) -> None:
    from tq.common.auth.certificate import certificate_der

    assert fingerprint(certificate_der(data / "master.crt")).hex() == before.pin
