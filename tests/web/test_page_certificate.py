"""The certificate of the page is looked at before the page says that it is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from tq.common.auth.certificate import ensure_certificate
from tq.common.errors import ConfigError
from tq.web.serving import check_certificate
from tq.web.settings import page_settings


def check(certificate: Path, key: Path) -> None:
    check_certificate(
        page_settings(
            bind="127.0.0.1:0",
            master="tq://127.0.0.1:5000",
            names=("a.example",),
            certificate=certificate,
            key=key,
        )
    )


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return ensure_certificate(tmp_path)


def test_a_certificate_and_its_key_are_taken(pair: tuple[Path, Path]) -> None:
    check(*pair)


def test_a_file_that_is_not_there_is_named_with_its_option(pair: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"--tls-cert: cannot read .*absent: No such file"):
        check(pair[0].with_name("absent"), pair[1])
    with pytest.raises(ConfigError, match=r"--tls-key: cannot read .*absent: No such file"):
        check(pair[0], pair[1].with_name("absent"))


def test_what_is_no_pem_or_the_wrong_one_of_both_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "text"
    other.write_text("hello")
    for certificate, key in ((other, pair[1]), (pair[0], other), (pair[1], pair[0])):
        with pytest.raises(ConfigError, match="must be a certificate chain and its key, in PEM"):
            check(certificate, key)


def test_the_key_of_another_certificate_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with pytest.raises(ConfigError, match="is not that of the first certificate"):
        check(pair[0], ensure_certificate(folder)[1])


def test_a_key_with_a_password_is_refused_and_not_asked_for(pair: tuple[Path, Path], tmp_path: Path) -> None:
    key = load_pem_private_key(pair[1].read_bytes(), None)
    locked = tmp_path / "locked"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open")))
    with pytest.raises(ConfigError, match="has a password"):
        check(pair[0], locked)
