"""The master's certificate on disk: made once, kept, private, and the pin of it."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from tq.common.auth import certificate
from tq.common.auth.certificate import (
    CERTIFICATE_FILE,
    KEY_FILE,
    certificate_der,
    ensure_certificate,
    fingerprint,
    write_private,
)
from tq.common.errors import ConfigError
from tq.common.wire.tls import server_context


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """As on a machine whose administrator is generous."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_both_files_are_for_their_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path)
    assert (certificate.name, key.name) == (CERTIFICATE_FILE, KEY_FILE)
    assert (mode(key), mode(certificate)) == (0o600, 0o600)


def test_nothing_is_left_beside_the_two_files(tmp_path: Path) -> None:
    ensure_certificate(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {CERTIFICATE_FILE, KEY_FILE}


def test_the_same_certificate_is_found_again(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in ensure_certificate(tmp_path)]
    assert [path.read_bytes() for path in ensure_certificate(tmp_path)] == first


PROGRAM = """
import sys, threading
from pathlib import Path
from tq.common.auth.certificate import ensure_certificate
from tq.common.wire.tls import server_context
if sys.argv[2] == "threads":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
server_context(*ensure_certificate(Path(sys.argv[1])))
print("cryptography" in sys.modules)
"""


@pytest.mark.parametrize(("kind", "is_loaded"), [("alone", "False"), ("threads", "True")])
def test_the_library_that_makes_it_does_not_stay_with_a_program_that_can_fork(
    tmp_path: Path, kind: str, is_loaded: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == is_loaded
    assert done.stderr == ""


def test_a_child_that_fails_does_not_keep_a_master_from_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    made, mine = certificate._make, os.getpid()

    def make() -> tuple[bytes, bytes]:
        if os.getpid() != mine:
            os._exit(3)  # as if it had been killed
        return made()

    monkeypatch.setattr(certificate, "_make", make)
    server_context(*ensure_certificate(tmp_path))


def test_every_master_makes_its_own(tmp_path: Path) -> None:
    pins = set()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        pins.add(fingerprint(certificate_der(ensure_certificate(tmp_path / name)[0])))
    assert len(pins) == 2


def test_the_pin_is_the_sha_256_of_the_certificate_as_it_goes_over_the_wire(tmp_path: Path) -> None:
    certificate, _ = ensure_certificate(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    assert certificate_der(certificate) == der
    assert fingerprint(der) == hashlib.sha256(der).digest()


def test_the_certificate_outlives_the_cluster_and_signs_no_other(tmp_path: Path) -> None:
    made = x509.load_pem_x509_certificate(ensure_certificate(tmp_path)[0].read_bytes())
    now = datetime.datetime.now(datetime.UTC)
    assert made.not_valid_before_utc < now - datetime.timedelta(hours=23)
    assert made.not_valid_after_utc > now + datetime.timedelta(days=365 * 49)
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize(("missing", "there"), [(KEY_FILE, CERTIFICATE_FILE), (CERTIFICATE_FILE, KEY_FILE)])
def test_half_a_pair_is_not_completed_but_reported(tmp_path: Path, missing: str, there: str) -> None:
    """A new certificate would silently invalidate every join token that was given out."""
    ensure_certificate(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(
        ConfigError, match=f"{there} is there but {missing} is not; restore it, or remove both"
    ):
        ensure_certificate(tmp_path)
    assert not (tmp_path / missing).exists()


def test_a_key_of_another_certificate_is_refused_with_the_remedy(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        ensure_certificate(tmp_path / name)
    with pytest.raises(
        ConfigError, match=r"cannot use the certificate .*; restore both from a copy, or remove both"
    ):
        server_context(tmp_path / "one" / CERTIFICATE_FILE, tmp_path / "other" / KEY_FILE)


@pytest.mark.parametrize(
    "content", ["", "text", "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_reported(tmp_path: Path, content: str) -> None:
    path = tmp_path / CERTIFICATE_FILE
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"{CERTIFICATE_FILE} holds no PEM certificate"):
        certificate_der(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        b"-----END CERTIFICATE----------BEGIN CERTIFICATE-----",
    ],
)
def test_a_damaged_certificate_is_reported_and_no_other_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / CERTIFICATE_FILE
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=CERTIFICATE_FILE):
        certificate_der(path)


def test_of_a_chain_the_first_certificate_counts(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        texts.append(ensure_certificate(tmp_path / name)[0].read_text())
    chain = tmp_path / "chain.pem"
    chain.write_text("a comment\n" + "".join(texts))
    assert certificate_der(chain) == certificate_der(tmp_path / "one" / CERTIFICATE_FILE)


# private files


@pytest.mark.usefixtures("open_umask")
def test_a_private_file_replaces_an_open_one_by_a_closed_one(tmp_path: Path) -> None:
    path = tmp_path / "worker.key"
    path.write_bytes(b"old and much longer")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


@pytest.mark.usefixtures("open_umask")
def test_what_an_earlier_crash_left_makes_no_private_file_readable(tmp_path: Path) -> None:
    """The same process id may come again; a file that is there keeps its mode when it is opened."""
    left = tmp_path / f".worker.key.{os.getpid()}"
    left.write_bytes(b"half")
    left.chmod(0o644)
    write_private(tmp_path / "worker.key", b"new")
    assert mode(tmp_path / "worker.key") == 0o600


def test_a_private_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / f".worker.key.{os.getpid()}").symlink_to(elsewhere)
    write_private(tmp_path / "worker.key", b"new")
    assert not elsewhere.exists()
    assert not (tmp_path / "worker.key").is_symlink()
    assert (tmp_path / "worker.key").read_bytes() == b"new"
