"""Which master a connection recognises: by the pin of its key, by what is remembered, or not yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.auth.certificate import fingerprint
from tq.common.auth.keys import Credential
from tq.common.auth.known_masters import VARIABLE
from tq.common.auth.recognition import Recognition
from tq.common.errors import Rejected
from tq.common.wire.address import Address
from tq.common.wire.tls import NO_CA

HOST = Address("queue.example.org", 5000)
PLAIN = Credential.parse("a plain key of some length")
CERTIFICATE = b"a certificate"
CLUSTER = b"c" * 16


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
