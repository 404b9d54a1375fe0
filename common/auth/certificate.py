"""The master's self-made certificate: made once, kept beside the store, pinned by every join token."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
import threading
from pathlib import Path
from typing import Final

from ..errors import ConfigError
from .leaf import fits_key, shown_by

CERTIFICATE_FILE: Final = "master.crt"
KEY_FILE: Final = "master.key"
PART_FILE: Final = "master.key.part"  # the key, until its certificate is there
COMMON_NAME: Final = "tq-master"  # of a certificate that is made here
# Trust rests on the pin and the proof, not on a date; an expiry would only break clusters
VALID_YEARS: Final = 50


def ensure_certificate(directory: Path) -> tuple[Path, Path]:
    """Paths of certificate and key, made on first use; the key is readable by its owner only."""
    certificate, key = directory / CERTIFICATE_FILE, directory / KEY_FILE
    part = directory / PART_FILE
    complete_key(directory)
    if certificate.exists() and key.exists():
        return certificate, key
    if certificate.exists() or key.exists():
        there, missing = (certificate, key) if certificate.exists() else (key, certificate)
        raise ConfigError(
            f"{there} is there but {missing.name} is not; restore it, or remove both and start tq-master once with "
            "--new-certificate: then every join token must be made again"
        )
    key_pem, certificate_pem = _make_apart()
    # The key last under its name: a crash in between leaves a part, never a certificate with another key.
    write_private(part, key_pem)
    write_private(certificate, certificate_pem)
    os.replace(part, key)
    return certificate, key


def complete_key(directory: Path) -> None:
    """A first start, or a join, that ended between its last two steps left the key of a certificate as a part: it is done with. A part
    beside a key is of a host that has joined, and asks for another certificate: its key, once that is there."""
    certificate, key, part = (directory / name for name in (CERTIFICATE_FILE, KEY_FILE, PART_FILE))
    if not (certificate.exists() and part.exists()):
        return
    if not key.exists() or fits_key(certificate_der(certificate), part.read_bytes()):
        os.replace(part, key)


def certificate_der(path: Path) -> bytes:
    """The (first) certificate in a PEM file, as DER."""
    try:
        pem = path.read_text("ascii")
        begin, end = pem.index("-----BEGIN CERTIFICATE-----"), pem.index("-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(pem[begin : end + len("-----END CERTIFICATE-----")])
    except OSError as error:
        raise ConfigError(f"cannot read the certificate {path}: {error.strerror}") from error
    except ValueError:  # no ASCII, no such lines, or no base64 between them
        der = b""
    if not der:
        raise ConfigError(f"{path} holds no PEM certificate; restore it from a copy")
    return der


def is_self_made(path: Path) -> bool:
    """Whether a certificate is one that tq made, of whatever cluster, and not its user's own."""
    try:
        der = certificate_der(path)
    except ConfigError:  # it is none at all: who needs it says so
        return False
    if shown_by(der).leaf is not None:
        return True
    if (
        COMMON_NAME.encode() not in der
    ):  # the library that reads certificates is heavy, and most are of one's own CA
        return False
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:
        return False
    return certificate.issuer == certificate.subject and [name.value for name in names] == [COMMON_NAME]


def fingerprint(der: bytes) -> bytes:
    """The pin: SHA-256 of the certificate."""
    return hashlib.sha256(der).digest()


def write_private(path: Path, content: bytes) -> None:
    """Write a file only its owner can read, whole or not at all, and on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # of a crash: an existing file would keep its mode, a link its target
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _make_apart() -> tuple[bytes, bytes]:
    """Key and certificate. The library that makes them takes 12 MB, which would stay with a master for its life: it is used in a
    child process that ends when they are made. With other threads a fork is not safe, and they are made here."""
    if threading.active_count() > 1:
        return _make()
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(sender, "wb") as pipe:
                pipe.writelines(_make())
            # Not ``sys.exit``: this copy of the master must run none of its cleanup.
            os._exit(0)
        finally:
            os._exit(1)  # whatever it was: the parent makes them itself, and sees it
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        # Before the wait: a child whose pipe is full would never end.
        made = pipe.read()
    _, status = os.waitpid(child, 0)
    key_pem, begin, rest = made.partition(b"-----BEGIN CERTIFICATE-----")
    return (key_pem, begin + rest) if status == 0 else _make()


def _make() -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=365 * VALID_YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)
