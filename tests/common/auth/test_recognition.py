"""Which master a connection recognises: by the pin of its key, by what is remembered, or not yet."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from tq.common.auth import revoked
from tq.common.auth.certificate import certificate_der, ensure_certificate, fingerprint
from tq.common.auth.keys import Credential
from tq.common.auth.known_masters import VARIABLE
from tq.common.auth.leaf import VALID_DAYS, make_key, make_request, sign
from tq.common.auth.recognition import Recognition
from tq.common.auth.revoked import Revocation, digest_of
from tq.common.errors import Rejected, Unreachable
from tq.common.wire.address import Address
from tq.common.wire.tls import NO_CA

HOST = Address("queue.example.org", 5000)
PLAIN = Credential.parse("a plain key of some length")
CERTIFICATE = b"a certificate"
CLUSTER = b"c" * 16
NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


def pinning(certificate: bytes) -> Credential:
    return Credential(key_id="k", secret=b"s" * 32, pin=fingerprint(certificate))


def test_the_certificate_that_the_key_pins_is_recognised() -> None:
    recognition = Recognition(HOST, pinning(CERTIFICATE), NO_CA)
    assert recognition.check(CERTIFICATE) is None
    assert recognition.is_certain


def test_another_one_is_refused_with_the_remedy() -> None:
    with pytest.raises(Rejected, match="make a new key there with `tq keys add`, or beware of an impostor"):
        Recognition(HOST, pinning(CERTIFICATE), NO_CA).check(b"another")


def test_a_plain_key_recognises_a_master_from_the_second_meeting_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "known"))
    first = Recognition(HOST, PLAIN, NO_CA)
    assert first.check(CERTIFICATE) is None
    assert not first.is_certain
    first.keep(CLUSTER)
    second = Recognition(HOST, PLAIN, NO_CA)
    assert second.check(CERTIFICATE) == CLUSTER
    assert second.is_certain


def test_on_this_machine_there_is_no_stranger() -> None:
    recognition = Recognition(Address("127.0.0.1", 5000), PLAIN, NO_CA)
    recognition.check(CERTIFICATE)
    assert recognition.is_certain


def signed(folder: Path, name: str = "b.example") -> tuple[bytes, bytes]:
    """A cluster's certificate, and a leaf of it."""
    certificate, key = ensure_certificate(folder)
    der = certificate_der(certificate)
    pem, _ = sign(der, key.read_bytes(), make_request(make_key(), name), NOW)
    return der, ssl.PEM_cert_to_DER_cert(pem.decode())


def test_a_pin_and_a_memory_of_a_cluster_hold_for_each_of_its_masters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, leaf = signed(tmp_path)
    assert Recognition(HOST, pinning(cluster), NO_CA).check(leaf) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path / "known"))
    first = Recognition(HOST, PLAIN, NO_CA)
    first.check(cluster)
    first.keep(CLUSTER)
    # The same name leads to another master of the cluster now.
    assert Recognition(HOST, PLAIN, NO_CA).check(leaf) == CLUSTER


def test_a_leaf_of_another_cluster_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    cluster, _ = signed(tmp_path)
    with pytest.raises(Rejected, match="not the one this key was made for"):
        Recognition(HOST, pinning(cluster), NO_CA).check(signed(other)[1])


def test_a_leaf_that_has_ended_is_refused_with_the_line_that_renews_it(tmp_path: Path) -> None:
    cluster, leaf = signed(tmp_path)
    late = NOW + datetime.timedelta(days=VALID_DAYS, seconds=1)
    with pytest.raises(Rejected, match=r"as that of b\.example; renew it on that host: tq-master request"):
        Recognition(HOST, pinning(cluster), NO_CA, lambda: late).check(leaf)


@pytest.fixture
def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's programs remember masters; the process itself has learnt nothing."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "known"))
    monkeypatch.setattr(revoked.RevokedMemory.__init__, "__defaults__", ({},))
    return tmp_path / "revoked_masters"


def test_a_revoked_leaf_is_refused_before_a_word_is_said_and_another_master_may_serve(
    tmp_path: Path, remembered: Path
) -> None:
    """Unreachable, and not Rejected, which would end a program: who has stolen a leaf would stop all that it can reach."""
    cluster, leaf = signed(tmp_path)
    moment = int(NOW.timestamp())
    first = Recognition(HOST, pinning(cluster), NO_CA)
    first.check(cluster)
    first.keep(CLUSTER, [Revocation(digest_of("b.example"), moment)])
    next_one = Recognition(HOST, pinning(cluster), NO_CA)
    with pytest.raises(
        Unreachable,
        match=r"certificate of b\.example that was revoked on 2026-11-29 00:00:00 UTC, which .*revoked_masters",
    ):
        next_one.check(leaf)
    assert remembered.exists()
    next_one.check(cluster)


def test_a_master_that_says_of_itself_that_it_is_revoked_is_left(tmp_path: Path, remembered: Path) -> None:
    cluster, leaf = signed(tmp_path)
    recognition = Recognition(HOST, pinning(cluster), NO_CA)
    recognition.check(leaf)
    with pytest.raises(Unreachable, match="was revoked"):
        recognition.keep(CLUSTER, [Revocation(digest_of("b.example"), int(NOW.timestamp()))])


def test_without_revocations_no_file_is_written(tmp_path: Path, remembered: Path) -> None:
    cluster, leaf = signed(tmp_path)
    recognition = Recognition(HOST, pinning(cluster), NO_CA)
    recognition.check(leaf)
    recognition.keep(CLUSTER)
    assert not remembered.exists()
