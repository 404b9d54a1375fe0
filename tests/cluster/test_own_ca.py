"""A user's own CA: the master's certificate comes from it, and it asks for one of those who connect."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import tq

from .certificates import sign
from .conftest import AppFactory, MasterFactory, WorkerFactory


class Files(NamedTuple):
    ca: Path
    mine: Path  # a certificate of the CA, and its key


@pytest.fixture
def files(home: Path) -> Files:
    """A CA; the master's certificate in its place; one to show."""
    authority = sign("our CA")
    data = home / "data"
    data.mkdir(mode=0o700)
    master = sign("our master", authority)
    (data / "master.crt").write_bytes(master.certificate_pem)
    (data / "master.key").write_bytes(master.key_pem)
    ca, mine = home / "ca.pem", home / "mine.pem"
    ca.write_bytes(authority.certificate_pem)
    caller = sign("a caller", authority)
    mine.write_bytes(caller.certificate_pem + caller.key_pem)
    (home / "master.toml").write_text(f'client_ca_file = "{ca}"\n')
    return Files(ca, mine)


def test_who_shows_a_certificate_of_the_ca_works_as_ever(
    files: Files, home: Path, master_factory: MasterFactory, worker_factory: WorkerFactory
) -> None:
    master = master_factory("--config", home / "master.toml")
    worker_factory(
        address=master.address,
        authkey=master.authkey,
        options=("--ca-file", files.ca, "--certificate-file", files.mine),
    )
    with tq.App(master.url, master.authkey, ca_file=files.ca, certificate_file=files.mine) as app:
        assert app.submit("cluster_tasks:add", 2, 3).result(timeout=20) == 5


def test_files_of_the_ca_can_be_named_by_variables(
    files: Files, home: Path, master_factory: MasterFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = master_factory("--config", home / "master.toml")
    monkeypatch.setenv("TQ_CA_FILE", str(files.ca))
    monkeypatch.setenv("TQ_CERTIFICATE_FILE", str(files.mine))
    with tq.App(master.url, master.authkey, role="viewer") as app:
        assert app.call(("get_workers",), "list") == []


def test_who_shows_none_is_turned_away_though_the_key_is_right(
    files: Files, home: Path, master_factory: MasterFactory, app_factory: AppFactory
) -> None:
    master = master_factory("--config", home / "master.toml")
    app = app_factory(master.url, master.authkey, connect_timeout=2.0)
    with pytest.raises(tq.TqError, match="certificate"):
        app.call(("get_workers",), "list")


def test_a_certificate_of_another_authority_is_turned_away(
    files: Files, home: Path, master_factory: MasterFactory
) -> None:
    master = master_factory("--config", home / "master.toml")
    stranger = sign("a stranger", sign("another CA"))
    (home / "stranger.pem").write_bytes(stranger.certificate_pem + stranger.key_pem)
    with (
        tq.App(
            master.url,
            master.authkey,
            ca_file=files.ca,
            certificate_file=home / "stranger.pem",
            connect_timeout=2.0,
        ) as app,
        pytest.raises(tq.TqError, match=r"certificate|unknown ca"),
    ):
        app.call(("get_workers",), "list")
