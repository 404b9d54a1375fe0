"""What is remembered of masters that a plain key was used with: one line each, and what a changed certificate means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tq.common.auth.keys import Credential, mint_token
from tq.common.auth.known_masters import LINES_MAX, OFF, VARIABLE, Memory, memory_of
from tq.common.errors import Rejected
from tq.common.wire.address import Address
from tq.common.wire.tls import NO_CA, OwnCa

CLUSTER, OTHER_CLUSTER = b"c" * 16, b"d" * 16
CERTIFICATE, OTHER = b"the certificate", b"that of another master"
HOST = Address("queue.example.org", 5000)
PLAIN = Credential.parse("correct horse battery staple")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "known_masters"


def meet(file: Path, address: str = "host:1", certificate: bytes = CERTIFICATE) -> bytes | None:
    """A connection that is admitted; the cluster id that was expected."""
    memory = Memory(file, address)
    expected = memory.check(certificate)
    memory.keep(CLUSTER, certificate)
    return expected


def test_the_first_meeting_is_remembered_and_the_next_ones_add_nothing(file: Path) -> None:
    assert meet(file) is None
    first = file.read_text()
    assert first.startswith(f"host:1 {CLUSTER.hex()} ")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert meet(file) == CLUSTER
    assert file.read_text() == first


def test_another_certificate_at_the_same_address_is_refused_and_says_what_to_do(file: Path) -> None:
    meet(file, "other:1")
    meet(file)
    with pytest.raises(Rejected) as caught:
        meet(file, certificate=OTHER)
    assert "the master at host:1 shows another certificate" in str(caught.value)
    assert f"delete line 2 of {file}" in str(caught.value)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:1]))
    file.chmod(0o600)
    assert meet(file, certificate=OTHER) is None
    assert meet(file, certificate=OTHER) == CLUSTER


def test_addresses_do_not_know_of_each_other(file: Path) -> None:
    assert meet(file, "host:1") is meet(file, "host:2") is meet(file, "host:11", OTHER) is None


def test_what_has_not_proven_itself_is_not_remembered(file: Path) -> None:
    assert Memory(file, "host:1").check(OTHER) is None
    assert not file.exists()


def test_an_empty_file_knows_no_master(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.touch(0o600)
    assert meet(file) is None
    assert meet(file) == CLUSTER


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda file: file.write_text("host:1 zz zz\n"), "line 1 of .* is damaged"),
        (lambda file: file.chmod(0o644), "can be read by others; chmod 600"),
        (lambda file: file.chmod(0o620), "may be written to by others"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "is not UTF-8"),
        (lambda file: (file.unlink(), os.mkfifo(file, 0o600)), "is not a regular file"),
        (lambda file: (file.unlink(), file.mkdir()), "is not a regular file"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_not_passed_over(file: Path, damage: object, reason: str) -> None:
    meet(file)
    damage(file)  # type: ignore[operator]
    with pytest.raises(Rejected, match=reason):
        meet(file)


def test_where_nothing_can_be_written_nothing_is_remembered_and_all_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Rejected):  # a file in the place of the directory is not nothing
        meet(tmp_path / "file" / "known_masters")
    memory = Memory(tmp_path / "link", "host:1")
    assert memory.check(CERTIFICATE) is None
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    memory.keep(CLUSTER, CERTIFICATE)
    assert not (tmp_path / "elsewhere").exists()


def test_the_list_has_an_end(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(f"host:1 {CLUSTER.hex()} {'0' * 64} 2026-01-01\n" * LINES_MAX)
    file.chmod(0o600)
    assert meet(file, "host:2") is None
    assert len(file.read_text().splitlines()) == LINES_MAX


@pytest.mark.parametrize(
    ("address", "key", "own_ca", "variable"),
    [
        (Address("127.0.0.1", 5000), PLAIN, NO_CA, ""),
        (Address("localhost", 5000), PLAIN, NO_CA, ""),
        (Address("::1", 5000), PLAIN, NO_CA, ""),
        (HOST, Credential.parse(mint_token("k", b"s" * 32, b"p" * 32)), NO_CA, ""),
        (HOST, PLAIN, OwnCa(ca_file=Path("ca.pem")), ""),
        (HOST, PLAIN, NO_CA, OFF),
    ],
    ids=["loopback", "localhost", "IPv6", "a join token", "a CA", "turned off"],
)
def test_where_something_better_is_known_or_it_is_turned_off_nothing_is_remembered(
    address: Address, key: Credential, own_ca: OwnCa, variable: str
) -> None:
    assert memory_of(address, key, own_ca, {VARIABLE: variable}) is None


def test_the_variable_names_another_file(file: Path) -> None:
    memory = memory_of(HOST, PLAIN, NO_CA, {VARIABLE: str(file)})
    assert memory is not None
    memory.check(CERTIFICATE)
    memory.keep(CLUSTER, CERTIFICATE)
    assert file.read_text().startswith("queue.example.org:5000 ")
