"""How a master on another host gets a certificate of the cluster, and what is refused on the way."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from tq.common.auth import leaf
from tq.common.auth.certificate import certificate_der, ensure_certificate, fingerprint
from tq.common.auth.leaf import RENEW_DAYS, VALID_DAYS, shown_by
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.common.wire.tls import server_context
from tq.master import joining
from tq.master.joining import admit, ending, join, request


def settings(folder: Path) -> MasterSettings:
    return MasterSettings(data=folder)


@pytest.fixture
def first(tmp_path: Path) -> MasterSettings:
    folder = tmp_path / "first"
    folder.mkdir(mode=0o700)
    ensure_certificate(folder)
    return settings(folder)


@pytest.fixture
def second(tmp_path: Path) -> MasterSettings:
    return settings(tmp_path / "second")


def joined(first: MasterSettings, second: MasterSettings) -> str:
    return join(second, admit(first, request(second, "b.example").encode())[0].encode())


def test_a_host_joins_with_a_key_that_never_leaves_it(first: MasterSettings, second: MasterSettings) -> None:
    asked = request(second, "b.example")
    assert "PRIVATE" not in asked
    answer, admitted = admit(first, asked.encode())
    assert "PRIVATE" not in answer
    assert admitted.name == "b.example"
    assert "is the certificate of b.example until 20" in join(second, answer.encode())
    certificate, key = second.data / "master.crt", second.data / "master.key"
    assert key.stat().st_mode & 0o777 == certificate.stat().st_mode & 0o777 == 0o600
    server_context(certificate, key)
    assert shown_by(certificate_der(certificate)).pin == fingerprint(
        certificate_der(first.data / "master.crt")
    )
    assert not (second.data / "master.key.part").exists()


def test_a_request_that_is_made_twice_is_for_the_same_key(
    first: MasterSettings, second: MasterSettings
) -> None:
    answer, _ = admit(first, request(second, "b").encode())
    request(second, "b")
    join(second, answer.encode())


def test_done_again_it_renews_the_certificate_for_a_new_key(
    first: MasterSettings, second: MasterSettings
) -> None:
    joined(first, second)
    key, before = (second.data / "master.key").read_bytes(), (second.data / "master.crt").read_bytes()
    joined(first, second)
    assert (second.data / "master.key").read_bytes() != key, (
        "who has a copy of the old one has nothing of the new"
    )
    assert (second.data / "master.crt").read_bytes() != before
    server_context(second.data / "master.crt", second.data / "master.key")
    assert not (second.data / "master.key.part").exists()


def test_a_request_of_a_host_that_has_joined_changes_nothing_until_it_joins(
    first: MasterSettings, second: MasterSettings
) -> None:
    joined(first, second)
    files = [second.data / name for name in ("master.crt", "master.key")]
    before = [file.read_bytes() for file in files]
    earlier = admit(first, request(second, "b").encode())[0]
    answer = admit(first, request(second, "b").encode())[0]
    ensure_certificate(second.data)
    assert [file.read_bytes() for file in files] == before
    with pytest.raises(ConfigError, match="made for another private key"):
        join(second, earlier.encode())
    join(second, answer.encode())
    server_context(*files)


@pytest.mark.parametrize("next_step", ["start", "request"])
def test_a_crash_between_a_new_certificate_and_its_key_is_completed(
    first: MasterSettings, second: MasterSettings, monkeypatch: pytest.MonkeyPatch, next_step: str
) -> None:
    joined(first, second)
    answer = admit(first, request(second, "b").encode())[0]

    def crash(directory: Path) -> None:
        if shown_by(certificate_der(directory / "master.crt")).leaf == shown_by(given).leaf:
            raise KeyboardInterrupt

    given = ssl.PEM_cert_to_DER_cert(answer)
    monkeypatch.setattr(joining, "complete_key", crash)
    with pytest.raises(KeyboardInterrupt):
        join(second, answer.encode())
    monkeypatch.undo()
    if next_step == "request":
        request(second, "b")
    server_context(*ensure_certificate(second.data))


@pytest.mark.parametrize("next_step", ["start", "join", "request"])
def test_a_crash_before_the_last_step_is_completed_by_whatever_comes_next(
    first: MasterSettings, second: MasterSettings, monkeypatch: pytest.MonkeyPatch, next_step: str
) -> None:
    answer, _ = admit(first, request(second, "b").encode())
    real = joining.os.replace

    def crash(source: Path, target: Path) -> None:
        if target.name == "master.key":
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(joining.os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        join(second, answer.encode())
    monkeypatch.undo()
    if next_step == "join":
        join(second, answer.encode())
    if next_step == "request":
        join(second, admit(first, request(second, "b").encode())[0].encode())
    server_context(*ensure_certificate(second.data))
    assert not (second.data / "master.key.part").exists()


def test_the_first_host_needs_no_certificate_of_another(first: MasterSettings) -> None:
    with pytest.raises(ConfigError, match="is a cluster's own certificate"):
        request(first, "a")


def test_only_the_first_host_admits(first: MasterSettings, second: MasterSettings, tmp_path: Path) -> None:
    asked = request(settings(tmp_path / "third"), "c").encode()
    with pytest.raises(ConfigError, match="run this on the host of the cluster's first master"):
        admit(second, asked)
    joined(first, second)
    with pytest.raises(ConfigError, match=r"is that of b\.example alone, and signs no other"):
        admit(second, asked)


def test_a_certificate_for_another_key_or_of_no_cluster_leaves_everything_as_it_was(
    first: MasterSettings, second: MasterSettings, tmp_path: Path
) -> None:
    asked = request(second, "b")
    other, _ = admit(first, request(settings(tmp_path / "third"), "c").encode())
    own = (first.data / "master.crt").read_bytes()
    for pem, words in (
        (other.encode(), "made for another private key"),
        (own, "no certificate that `tq-master admit` has made"),
        (b"nothing", "holds no PEM certificate"),
        (asked.encode(), "holds no PEM certificate"),
    ):
        with pytest.raises(ConfigError, match=words):
            join(second, pem)
        assert {file.name for file in second.data.iterdir()} == {"master.key.part"}


def test_a_certificate_of_another_cluster_does_not_replace_that_of_this_one(
    first: MasterSettings, second: MasterSettings, tmp_path: Path
) -> None:
    joined(first, second)
    folder = tmp_path / "another"
    folder.mkdir(mode=0o700)
    ensure_certificate(folder)
    before = (second.data / "master.crt").read_bytes()
    with pytest.raises(ConfigError, match="is of another cluster"):
        joined(settings(folder), second)
    assert (second.data / "master.crt").read_bytes() == before


def test_without_a_request_there_is_nothing_to_join_with(
    first: MasterSettings, second: MasterSettings
) -> None:
    answer, _ = admit(first, request(second, "b").encode())
    with pytest.raises(ConfigError, match="no private key of a request; begin with: tq-master request"):
        join(settings(first.data.parent), answer.encode())


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (0, None),
        (VALID_DAYS - RENEW_DAYS - 2, None),
        (VALID_DAYS - RENEW_DAYS, "renew it: tq-master request"),
        (VALID_DAYS - 1, "renew it: tq-master request"),
    ],
)
def test_the_end_of_a_certificate_is_said_in_time(
    first: MasterSettings,
    second: MasterSettings,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    says: str | None,
) -> None:
    joined(first, second)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    monkeypatch.setattr(joining, "_now", lambda: later)
    text = ending(second.data / "master.crt")
    assert (text is None) == (says is None)
    assert says is None or says in (text or "")


def test_a_master_whose_certificate_has_ended_does_not_start(
    first: MasterSettings, second: MasterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(first, second)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=VALID_DAYS + 1)
    monkeypatch.setattr(joining, "_now", lambda: later)
    with pytest.raises(ConfigError, match=r"has ended on .*, and no client accepts it; renew it"):
        ending(second.data / "master.crt")
    assert ending(first.data / "master.crt") is None, "the cluster's own has no end that matters"
    assert leaf.RENEW.startswith("tq-master request")
