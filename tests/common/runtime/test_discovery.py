"""Which master is found when none is named: a living `tq dev` of this directory, the environment, the user's directory."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tq
from tq.common.domain.model import Role
from tq.common.runtime.discovery import discover, find_dev, own_directory

DEV_URL, URL, OWN_URL = "tq://127.0.0.1:5017", "tq://variable:1", "tq://own:2"
MakeDev = Callable[..., Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, an empty home, nothing set."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("TQ_URL", "TQ_AUTHKEY", "TQ_AUTHKEY_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def make_dev(here: Path) -> Iterator[MakeDev]:
    """What a `tq dev` leaves in a directory, with its lock held or not."""
    held: list[int] = []

    def make(*, alive: bool = True, live: str | None = None) -> Path:
        folder = here / ".tq"
        (folder / "state").mkdir(parents=True)
        folder.chmod(0o700)
        for role in ("client", "worker", "admin"):
            (folder / "state" / f"{role}.key").write_text(f"the {role} key of dev", "utf-8")
        text = json.dumps({"url": DEV_URL, "pid": os.getpid()}) if live is None else live
        (folder / "live").write_text(text, "utf-8")
        (folder / "live").chmod(0o600)
        if alive:
            held.append(os.open(folder / "live", os.O_RDWR))
            fcntl.flock(held[-1], fcntl.LOCK_EX)
        return folder

    yield make
    for descriptor in held:
        os.close(descriptor)


def configure(name: str, text: str, mode: int = 0o600) -> Path:
    file = own_directory() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return file


def found(url: str | None = None, authkey: str | None = None, role: Role = Role.CLIENT) -> tuple[str, str]:
    where = discover(url, authkey, role)
    assert where.url is not None
    assert where.authkey is not None
    return where.url, where.authkey


def test_each_place_gives_way_to_the_one_before_it(
    make_dev: MakeDev, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("url", OWN_URL + "\n")
    configure("client.key", "my own key\n")
    assert found() == (OWN_URL, "my own key")
    monkeypatch.setenv("TQ_URL", URL)
    monkeypatch.setenv("TQ_AUTHKEY", "of the variable")
    assert found() == (URL, "of the variable")
    make_dev()
    assert found() == (DEV_URL, "the client key of dev")
    assert found("tq://given:3", "given") == ("tq://given:3", "given")


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_file_stops_no_program(
    make_dev: MakeDev, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a pipe for reading waits until it is opened for writing."""
    (here / ".tq").mkdir(mode=0o700)
    os.mkfifo(here / ".tq" / "live")
    monkeypatch.setenv("TQ_URL", URL)
    where = discover(None, "given", Role.CLIENT)
    assert (where.url, where.looked) == (URL, ("./.tq/live is not a regular file: not used",))
    monkeypatch.delenv("TQ_URL")
    for name in ("url", "client.key"):
        file = configure(name, "x")
        file.unlink()
        os.mkfifo(file, 0o600)
        with pytest.raises(tq.ConfigError, match=f"{file} is not a regular file"):
            discover(None, None, Role.CLIENT)
        file.unlink()
        configure("url", OWN_URL)
    assert discover(None, "given", Role.CLIENT).url == OWN_URL


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_devs_key_is_reported(make_dev: MakeDev) -> None:
    key = make_dev() / "state" / "client.key"
    key.unlink()
    os.mkfifo(key, 0o600)
    with pytest.raises(tq.ConfigError, match=r"client\.key is not a regular file"):
        discover(None, None, Role.CLIENT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another user")
@pytest.mark.parametrize("name", ["url", "client.key"])
def test_a_file_of_another_user_is_not_used(name: str) -> None:
    configure("url", OWN_URL)
    configure("client.key", "mine")
    os.chown(own_directory() / name, 12_345, -1)
    with pytest.raises(tq.ConfigError, match="belongs to user 12345"):
        discover(None, None, Role.CLIENT)


def test_a_file_that_others_may_write_to_is_not_used() -> None:
    configure("url", OWN_URL, 0o666)
    with pytest.raises(tq.ConfigError, match="may be written to by others"):
        discover(None, "given", Role.CLIENT)


def test_the_key_of_a_dev_is_for_its_own_address_only(
    make_dev: MakeDev, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dev()
    monkeypatch.setenv("TQ_AUTHKEY", "of the variable")
    assert found("tq://given:3") == ("tq://given:3", "of the variable")
    assert found(DEV_URL) == (DEV_URL, "the client key of dev")
    assert found(authkey="given") == (DEV_URL, "given")


def test_the_key_is_that_of_the_role(make_dev: MakeDev) -> None:
    configure("url", OWN_URL)
    configure("client.key", "mine")
    configure("admin.key", "mine for admins")
    assert found(role=Role.ADMIN) == (OWN_URL, "mine for admins")
    assert found(role=Role.VIEWER) == (OWN_URL, "mine")
    make_dev()
    assert found(role=Role.ADMIN)[1] == "the admin key of dev"
    assert found(role=Role.VIEWER)[1] == "the client key of dev"


def test_a_key_may_stand_in_the_file_that_a_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from a file\n", "utf-8")
    monkeypatch.setenv("TQ_AUTHKEY_FILE", str(tmp_path / "key"))
    assert found(URL) == (URL, "from a file")


def test_what_a_dead_dev_left_behind_has_no_effect(
    make_dev: MakeDev, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dev(alive=False)
    monkeypatch.setenv("TQ_URL", URL)
    assert discover(None, None, Role.CLIENT).url == URL
    monkeypatch.delenv("TQ_URL")
    where = discover(None, None, Role.CLIENT)
    assert where.url is None
    assert where.looked[0] == "no `tq dev` runs here any more (./.tq is of an earlier one)"


def test_to_look_does_not_keep_others_from_looking_or_starting(make_dev: MakeDev) -> None:
    folder = make_dev(alive=False)
    assert find_dev() is None
    descriptor = os.open(folder / "live", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert find_dev() is not None
    os.close(descriptor)
    assert find_dev() is None


def test_a_dev_that_is_just_starting_is_waited_for_and_nothing_else_is_taken(
    make_dev: MakeDev, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQ_URL", URL)
    make_dev(live="")
    with pytest.raises(tq.Unreachable, match="is starting or ending here"):
        discover(None, None, Role.CLIENT)


@pytest.mark.parametrize("live", ["{", "[]", '"text"', "{}", '{"url": 1, "pid": "x"}'])
def test_a_file_of_another_form_is_not_used(make_dev: MakeDev, live: str) -> None:
    make_dev(live=live)
    assert discover(None, None, Role.CLIENT).looked[0] == "./.tq/live has an unknown form: not used"


def test_a_directory_that_others_may_write_to_is_not_used(make_dev: MakeDev) -> None:
    make_dev().chmod(0o777)
    assert "others may write to it" in discover(None, None, Role.CLIENT).looked[0]


def test_a_directory_above_is_not_looked_at(
    make_dev: MakeDev, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dev()
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")
    assert discover(None, None, Role.CLIENT).url is None


def test_a_current_directory_that_is_gone_is_no_error(here: Path) -> None:
    here.rmdir()
    assert discover(None, None, Role.CLIENT).url is None


def test_a_key_file_that_others_can_read_is_refused() -> None:
    file = configure("client.key", "mine", 0o644)
    with pytest.raises(tq.ConfigError, match=f"can be read by others; chmod 600 {file}"):
        discover(URL, None, Role.CLIENT)


def test_all_places_are_named_when_nothing_is_found() -> None:
    where = discover(None, None, Role.CLIENT)
    assert where.looked == (
        "no `tq dev` runs here (there is no ./.tq)",
        "TQ_URL is not set",
        f"there is no {own_directory() / 'url'}",
    )
    where = discover(URL, None, Role.CLIENT)
    assert where.looked == ("TQ_AUTHKEY is not set", f"there is no {own_directory() / 'client.key'}")


def test_no_key_is_shown() -> None:
    assert "secret" not in repr(discover(URL, "secret", Role.CLIENT))
