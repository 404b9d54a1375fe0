"""Keys: what a program holds (a credential), and what a master keeps of it (a verifier). Pure but for scrypt.

A credential is a join token or a plain authkey::

    tq1.<key id>.<secret, base64url>.<certificate pin, base64url>.<crc32 of what stands before, hex>

The two keys that a proof uses are made from the secret as in SCRAM (RFC 5802)::

    base       = secret of a token (256 random bits)  |  scrypt(authkey, salt = cluster id)
    client_key = HMAC(base, "tq1 client key")      stored_key = SHA-256(client_key)
    server_key = HMAC(base, "tq1 server key")

A verifier is (stored_key, server_key): it checks a proof and makes the master's, but cannot be used as a client's key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from ..domain.globs import fits_any
from ..domain.key_quota import NO_QUOTA, KeyQuota
from ..domain.model import NODE_ID_BYTES, Role
from ..errors import ConfigError, InvalidArgument
from ..values.brief import brief
from ..wire.address import is_loopback
from .patterns import lies_within

TOKEN_PREFIX: Final = "tq1"
AUTHKEY_ID: Final = "authkey"  # the key id of a plain authkey
SECRET_BYTES: Final = 32
PIN_BYTES: Final = 32
AUTHKEY_CHARS_MIN: Final = 16  # on any address but loopback: scrypt slows guessing, length prevents it
KEY_ID_CHARS_MAX: Final = 64

# N = 2^15, r = 8, p = 1: about a tenth of a second and 32 MiB, once per process and cluster
SCRYPT_N: Final = 2**15
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
SCRYPT_MEMORY_BYTES: Final = 64 * 1024 * 1024

_NOT_TEXT: Final = (
    "the key is not UTF-8 text; use one of plain letters and digits, e.g. `openssl rand -hex 16`"
)

KDF_NONE: Final = "none"
KDF_SCRYPT: Final = "scrypt-15-8-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What a connecting program holds. The secret never appears in its repr."""

    key_id: str
    secret: bytes = field(repr=False)
    pin: bytes | None = None  # SHA-256 of the master's certificate, when the key came with one

    @property
    def kdf(self) -> str:
        return KDF_SCRYPT if self.key_id == AUTHKEY_ID else KDF_NONE

    @classmethod
    def parse(cls, text: str) -> Credential:
        """A join token or a plain authkey; raises InvalidArgument for a mistyped token or nothing at all."""
        text = text.strip()
        if not text:
            raise InvalidArgument("the key is empty; give --authkey-file, or set TQ_AUTHKEY")
        if not _is_text(text):
            raise InvalidArgument(_NOT_TEXT)
        if not text.startswith(TOKEN_PREFIX + "."):
            return cls(key_id=AUTHKEY_ID, secret=text.encode())
        parts = text.split(".")
        body, _, checksum = text.rpartition(".")
        # Only against slips of copying: what protects is the secret.
        if len(parts) != 5 or f"{zlib.crc32(body.encode()):08x}" != checksum:
            raise InvalidArgument(
                "the join token is mistyped or cut off; copy all of the line that starts with tq1."
            )
        secret, pin = _unbase64(parts[2]), _unbase64(parts[3])
        if len(secret) != SECRET_BYTES or len(pin) != PIN_BYTES or not 1 <= len(parts[1]) <= KEY_ID_CHARS_MAX:
            raise InvalidArgument("the join token has an unknown form; it was made by another version of tq")
        return cls(key_id=parts[1], secret=secret, pin=pin)


def mint_token(key_id: str, secret: bytes, pin: bytes) -> str:
    """The text of a join token."""
    body = ".".join((TOKEN_PREFIX, key_id, _base64(secret), _base64(pin)))
    return f"{body}.{zlib.crc32(body.encode()):08x}"


def key_id_of(token: str) -> str:
    """Of a join token that was just minted: the id of its key, which is public."""
    return token.split(".")[1]


def node_of(key_id: str, stated: bytes) -> bytes:
    """Who a peer is that was let in by a key and says that it is this node.

    Any program can state any name; what a node holds (leases, locks, uploads) is kept under this one, which no program can
    have with another key.
    """
    return hmac.digest(key_id.encode("utf-8", "replace"), b"tq1 node" + stated, "sha256")[:NODE_ID_BYTES]


def new_key_id(random_bytes: Callable[[int], bytes]) -> str:
    return random_bytes(6).hex()


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPair:
    client_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @property
    def stored_key(self) -> bytes:
        return hashlib.sha256(self.client_key).digest()


@lru_cache(maxsize=16)  # scrypt costs a tenth of a second: once per process, not once per reconnect
def key_pair(secret: bytes, kdf: str, salt: bytes) -> KeyPair:
    """Both keys of a secret; raises InvalidArgument for an unknown KDF."""
    if kdf == KDF_SCRYPT:
        base = hashlib.scrypt(
            secret, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=SCRYPT_MEMORY_BYTES, dklen=32
        )
    elif kdf == KDF_NONE:
        base = secret
    else:
        raise InvalidArgument(f"key derivation {brief(kdf)} is unknown")
    return KeyPair(
        client_key=hmac.digest(base, b"tq1 client key", "sha256"),
        server_key=hmac.digest(base, b"tq1 server key", "sha256"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifier:
    """What a master keeps of a key. ``state``: active, accepting (works, being replaced) or revoked."""

    key_id: str
    role: Role
    kdf: str
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    queues: tuple[str, ...] = ()  # glob patterns; empty: all
    state: str = "active"
    note: str = ""
    created: int = 0  # Unix ms
    last_used: int | None = None
    tenant: str = ""  # of all tasks that it submits; empty: they say it themselves
    quota: KeyQuota = NO_QUOTA  # of its tasks that have not ended

    def allows(self, role: Role) -> bool:
        """Whether the key may open a session of this role: its own, or one that may do less."""
        # A worker's key does not open a client's session: what its tasks submit goes over its own connection.
        return role == self.role or self.role == Role.ADMIN or (self.role, role) == (Role.CLIENT, Role.VIEWER)

    def allows_queue(self, queue: str) -> bool:
        return not self.queues or fits_any(queue, self.queues)

    @property
    def is_revoked(self) -> bool:
        return self.state == "revoked"

    def with_quota_of(self, known: Verifier | None) -> Verifier:
        """With what an operator has set for the key that it takes the place of, if there was one."""
        return self if known is None else replace(self, quota=known.quota)

    def covers(self, role: Role, queues: Sequence[str]) -> bool:
        """Whether a key of this role, bound to these patterns (none: to nothing), may do no more than this one."""
        if not self.allows(role):
            return False
        if not self.queues:
            return True
        # ``bool``: a key that is bound to nothing may do more than one that is.
        return bool(queues) and all(any(lies_within(one, own) for own in self.queues) for one in queues)


def make_token_verifier(
    key_id: str,
    secret: bytes,
    *,
    role: Role,
    queues: tuple[str, ...] = (),
    note: str = "",
    created: int = 0,
    tenant: str = "",
    quota: KeyQuota = NO_QUOTA,
) -> Verifier:
    keys = key_pair(secret, KDF_NONE, b"")
    return Verifier(
        key_id=key_id,
        role=role,
        kdf=KDF_NONE,
        stored_key=keys.stored_key,
        server_key=keys.server_key,
        queues=queues,
        note=note,
        created=created,
        tenant=tenant,
        quota=quota,
    )


def make_authkey_verifier(authkey: str, cluster_id: bytes, *, created: int = 0) -> Verifier:
    """The verifier of a plain authkey: one key for everybody and everything, as in BaseManager."""
    # Salted with the cluster: one list of guesses does not serve for all clusters.
    keys = key_pair(authkey.strip().encode(), KDF_SCRYPT, cluster_id)
    return Verifier(
        key_id=AUTHKEY_ID,
        role=Role.ADMIN,
        kdf=KDF_SCRYPT,
        stored_key=keys.stored_key,
        server_key=keys.server_key,
        note="--authkey",
        created=created,
    )


def is_token(text: str) -> bool:
    """Whether it is a join token, and no plain authkey."""
    return text.strip().startswith(TOKEN_PREFIX + ".")


def check_authkey_strength(authkey: str, host: str) -> None:
    """Raises ConfigError for a plain authkey that is too short for an address others can reach."""
    if is_token(authkey):
        raise ConfigError(
            "this is a join token, which a master gives out; start tq-master without it, or with a plain --authkey"
        )
    if not _is_text(authkey):
        raise ConfigError(_NOT_TEXT)
    if len(authkey.strip()) < AUTHKEY_CHARS_MIN and not is_loopback(host):
        raise ConfigError(
            f"the authkey has {len(authkey.strip())} characters; on an address others can reach it needs at least "
            f"{AUTHKEY_CHARS_MIN}. Use e.g. `openssl rand -hex 16`, or give none: tq-master then makes keys of its own"
        )


def _is_text(text: str) -> bool:
    """A variable or an argument with stray bytes holds what cannot be encoded again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unbase64(text: str) -> bytes:
    try:
        # A token is without padding, which some shells and mail programs change.
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
