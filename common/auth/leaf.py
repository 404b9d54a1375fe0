"""The certificates of the masters of one cluster: *leaves*, signed with the key of the cluster's own certificate.

::

    the cluster's certificate, made by its first master; its SHA-256 is the pin of every join token
        └── signs ──► a leaf: the public key of one master, its name, its last day, and the cluster's certificate, in an extension

A caller that pins the cluster checks the signature with the certificate that the leaf brings along: Python's ``ssl`` shows the
certificate of a peer, and its chain only from 3.13 on. So a pin, and what was remembered of a master, holds for all of them. A leaf
signs nothing: it would be the pinned certificate itself.

The library that checks signatures is heavy; it is imported for leaves only, and what it found is kept.
"""

from __future__ import annotations

import datetime
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

CLUSTER_OID: Final = "2.25.78500012471597449287930996334320778773"  # of the extension; made of a random UUID
CLUSTER_OID_DER: Final = bytes.fromhex("69f68ec6dbcbf0e2a9879ccedbe9a2f8f5fc15")  # as it stands in one
NAME_CHARS_MAX: Final = 64
# A machine that is gone, and whose key may be anywhere, is believed no longer than that
VALID_DAYS: Final = 400
CLOCKS_DAYS: Final = 1  # that the clocks of two hosts may differ
RENEW_DAYS: Final = 30  # before the end it is said so
REQUEST_BYTES_MAX: Final = 16 * 1024  # of a request or a certificate that is read
RENEW: Final = "tq-master request | ssh FIRST-HOST tq-master admit | tq-master join"


class Leaf(NamedTuple):
    name: str
    serial: str  # hex
    made: datetime.datetime  # UTC, by the clock of the host that has signed it
    until: datetime.datetime  # UTC

    def days_left(self, now: datetime.datetime) -> int:
        return (self.until - now).days


class Shown(NamedTuple):
    """What a certificate says of its cluster."""

    pin: bytes  # of the cluster's certificate: this one, or the one that has signed it
    leaf: Leaf | None


def shown_by(der: bytes) -> Shown:
    """Of any certificate. One that only claims to be a leaf is its own cluster, and so none that anybody knows."""
    if CLUSTER_OID_DER not in der:
        return Shown(hashlib.sha256(der).digest(), None)
    return _verified(der)


@lru_cache(maxsize=64)
def _verified(der: bytes) -> Shown:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    alone = Shown(hashlib.sha256(der).digest(), None)
    try:
        leaf = x509.load_der_x509_certificate(der)
        value = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier(CLUSTER_OID)).value
        cluster_der = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
        key = x509.load_der_x509_certificate(cluster_der).public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return alone
        key.verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
        name = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        made, until = _made(leaf), leaf.not_valid_after_utc
    except (
        Exception
    ):  # a stranger's bytes: the library has a dozen errors for what is no certificate, or not of these
        return alone
    return Shown(
        hashlib.sha256(cluster_der).digest(), Leaf(str(name), f"{leaf.serial_number:x}", made, until)
    )


def _made(leaf: Certificate) -> datetime.datetime:
    return leaf.not_valid_before_utc + datetime.timedelta(days=CLOCKS_DAYS)


# making them


def make_key() -> bytes:
    """A private key, PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_request(key_pem: bytes, name: str) -> bytes:
    """A request for a leaf, PEM (PKCS #10): it holds no secret. Raises ConfigError."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _checked_name(name))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(_private_key(key_pem), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sign(
    cluster_der: bytes, cluster_key_pem: bytes, request_pem: bytes, now: datetime.datetime
) -> tuple[bytes, Leaf]:
    """The leaf for a request, PEM. Raises ConfigError for what is no request, or is not signed by the key it names."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    try:
        request = x509.load_pem_x509_csr(request_pem)
        names = request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        is_sound = request.is_signature_valid
    except ValueError:
        names, is_sound = [], False
    if not is_sound or len(names) != 1:
        raise ConfigError("this is no request of a tq-master; make one on the other host: tq-master request")
    until = now + datetime.timedelta(days=VALID_DAYS)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _checked_name(str(names[0].value)))])
        )
        .issuer_name(x509.load_der_x509_certificate(cluster_der).subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=CLOCKS_DAYS))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier(CLUSTER_OID), cluster_der), critical=False
        )
        .sign(_private_key(cluster_key_pem), hashes.SHA256())
    )
    serial, ends = f"{certificate.serial_number:x}", certificate.not_valid_after_utc
    leaf = Leaf(str(names[0].value), serial, _made(certificate), ends)
    return certificate.public_bytes(serialization.Encoding.PEM), leaf


def fits_key(der: bytes, key_pem: bytes) -> bool:
    """Whether a certificate is for this private key."""
    from cryptography import x509

    return x509.load_der_x509_certificate(der).public_key() == _private_key(key_pem).public_key()


def _private_key(pem: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise ConfigError("master.key holds no private key that this program can read") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ConfigError("master.key holds no private key of an elliptic curve, as tq-master makes them")
    return key


def _checked_name(name: str) -> str:
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable() or name != name.strip():
        raise ConfigError(
            f"the name of a master has 1 to {NAME_CHARS_MAX} printable characters, such as its host's"
        )
    return name
