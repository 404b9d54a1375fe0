"""The proof that both sides know the key, bound to the channel they speak through. Pure: bytes in, bytes out.

::

    client                                                     server
    HELLO      [versions, role, key id, client nonce, node]  and the shard, if it is not 0 ──►
               ◄── CHALLENGE  [version, cluster id, server nonce, kdf]
    PROOF      [client_key XOR HMAC(stored_key, "tq1 client" ‖ TH)] ──►
               ◄── WELCOME    [HMAC(server_key, "tq1 server" ‖ TH ‖ proof), settings]

    TH = SHA-256 over HELLO, CHALLENGE and SHA-256(certificate), each preceded by its length (u32)

The form is that of SCRAM (RFC 5802), the binding ``tls-server-end-point`` (RFC 5929): an attacker that relays the
conversation under another certificate gets proofs that are worthless elsewhere. WELCOME's signature also covers its
settings. An unknown key id runs through the same computation with a key made up from it,
so that neither the answer nor its time tells which ids exist.

Errors: Rejected when a proof does not hold (final), ProtocolError when a message is not one of these.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..auth import revoked as leaves
from ..auth.keys import AUTHKEY_ID, KDF_NONE, KDF_SCRYPT, Credential, Verifier, key_pair, node_of
from ..auth.revoked import Revocation
from ..domain.model import NODE_ID_BYTES, Role
from ..domain.shards import SHARDS_MAX
from ..errors import ProtocolError, Rejected
from .frames import pack, unpack

SPOKEN: Final = (2,)  # versions of the protocol, the newest first: this one, and from 3 on the one before it
NONCE_BYTES: Final = 32
CLUSTER_ID_BYTES: Final = 16
SESSION_ID_BYTES: Final = 16
DIGEST_BYTES: Final = 32
KEY_ID_BYTES_MAX: Final = 64

_CLIENT_LABEL: Final = b"tq1 client"
_SERVER_LABEL: Final = b"tq1 server"
_REFUSED: Final = (
    "the key was refused: unknown, revoked or not the one this master accepts; `tq keys list` shows them"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Welcome:
    """What the master sends to a client that it has admitted. ``shards``: how many the cluster has. ``revoked``: leaves that it is to
    refuse."""

    session: bytes
    cluster_id: bytes
    heartbeat_seconds: float
    frame_bytes_max: int
    server_version: str
    shards: int = 1
    revoked: Sequence[Revocation] = ()


def _other(version: int) -> str:
    """What to do about a peer of another version."""
    spoken = " and ".join(f"tq/{one}" for one in SPOKEN)
    older = "that one" if version < SPOKEN[0] else "this side"
    return f"this side {spoken}: upgrade tq on {older}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """Whom the server let in. ``node``: the one it says it is, of this key; see ``keys.node_of``. ``shard``: the one it asks."""

    verifier: Verifier
    role: Role
    node: bytes
    session: bytes
    shard: int = 0


class ClientHandshake:
    """hello, on_challenge, on_welcome: each once, in this order."""

    def __init__(
        self,
        *,
        credential: Credential,
        role: Role,
        node: bytes,
        certificate: bytes,
        cluster_id: bytes | None = None,
        random: Callable[[int], bytes] = os.urandom,
        shard: int = 0,
    ) -> None:
        """``cluster_id``: the one that the master must have, if it is known. It salts a plain key: an attacker that could
        choose it could have a list of guesses computed for it. ``shard``: the one that is asked."""
        self._credential, self._certificate, self._expected = credential, certificate, cluster_id
        hello: list[Any] = [list(SPOKEN), str(role), credential.key_id, random(NONCE_BYTES), node]
        # Shard 0 is not named: a master of before there were shards reads what it knows.
        self._hello = pack([*hello, shard] if shard else hello)
        self._server_key = b""
        self._signed = b""
        self._cluster_id = b""

    def hello(self) -> bytes:
        return self._hello

    def on_challenge(self, body: bytes) -> bytes:
        """The PROOF for a CHALLENGE. A plain authkey is stretched here: a tenth of a second, once."""
        match unpack(body):
            case [int(version), bytes(cluster_id), bytes(nonce), str(kdf)] if (
                len(cluster_id) == CLUSTER_ID_BYTES and len(nonce) == NONCE_BYTES
            ):
                pass
            case _:
                raise ProtocolError("the master's CHALLENGE has an unknown form")
        # Though it was offered a list: a false master may answer anything.
        if version not in SPOKEN:
            raise ProtocolError(f"the master chose tq/{version}, {_other(version)}")
        if (
            kdf != self._credential.kdf
        ):  # only the known one: a false master must not choose a weak or a costly one
            raise Rejected(_REFUSED)
        if self._expected is not None and cluster_id != self._expected:
            raise Rejected(
                "the master has the certificate that it had before and another cluster id; it may be an impostor"
            )
        keys = key_pair(self._credential.secret, kdf, cluster_id)
        transcript = _transcript(self._hello, body, self._certificate)
        signature = hmac.digest(keys.stored_key, _CLIENT_LABEL + transcript, "sha256")
        # XOR as in SCRAM: who knows only the verifier can check it, and cannot make it.
        proof = pack([_xor(keys.client_key, signature)])
        self._server_key, self._cluster_id = keys.server_key, cluster_id
        self._signed = _SERVER_LABEL + transcript + proof
        return proof

    def on_welcome(self, body: bytes) -> Welcome:
        """What WELCOME says, once its signature shows that the master knows the key as well."""
        # A WELCOME before a challenge would be checked with an empty key.
        if not self._signed:
            raise ProtocolError("the master welcomed before it was given a proof")
        match unpack(body):
            case [bytes(signature), bytes(settings)]:
                pass
            case _:
                raise ProtocolError("the master's WELCOME has an unknown form")
        expected = hmac.digest(self._server_key, self._signed + settings, "sha256")
        if not hmac.compare_digest(expected, signature):
            raise Rejected("the master could not prove that it knows the key; it may be an impostor")
        match unpack(settings):
            case [bytes(session), float(heartbeat), int(frame_bytes_max), str(version), *more] if (
                said := _understood(more)
            ) is not None:
                return Welcome(
                    session=session,
                    cluster_id=self._cluster_id,
                    heartbeat_seconds=heartbeat,
                    frame_bytes_max=frame_bytes_max,
                    server_version=version,
                    shards=said[0],
                    revoked=said[1],
                )
        raise ProtocolError("the master's settings have an unknown form")


class ServerHandshake:
    """on_hello, on_proof: each once, in this order."""

    def __init__(
        self,
        *,
        lookup: Callable[[str, int], Verifier | None],
        cluster_id: bytes,
        certificate: bytes,
        heartbeat_seconds: float,
        frame_bytes_max: int,
        version: str = "",
        random: Callable[[int], bytes] = os.urandom,
        shards: int = 1,
        revoked: Callable[[int], Sequence[Revocation]] = lambda shard: (),
    ) -> None:
        """``lookup``: the key of an id, in a shard; it raises NotOwner for a shard that is not here. ``shards``: of the cluster. ``revoked``:
        leaves, as a shard knows them."""
        self._lookup, self._cluster_id, self._certificate = lookup, cluster_id, certificate
        self._settings, self._revoked = (heartbeat_seconds, frame_bytes_max, version), revoked
        self._shards, self._shard = shards, 0
        self._random = random
        self._verifier: Verifier | None = None
        self._key_id = ""
        self._role = Role.VIEWER
        self._node = b""
        self._transcript = b""

    def on_hello(self, body: bytes) -> bytes:
        """The CHALLENGE for a HELLO."""
        if self._transcript:
            raise ProtocolError("a second HELLO")
        match unpack(body):
            case [list(versions), str(role), str(key_id), bytes(nonce), bytes(node), *more] if (
                len(nonce) == NONCE_BYTES
                and len(node) == NODE_ID_BYTES
                and len(key_id.encode("utf-8", "replace")) <= KEY_ID_BYTES_MAX
                and role in tuple(Role)
                and all(isinstance(version, int) for version in versions)  # and may be shown: nothing nested
                and (not more or _is_shard(more))
            ):
                pass
            case _:
                raise ProtocolError(
                    "a HELLO is [versions, role, key id, nonce of 32 bytes, node id of 16], and may have a shard"
                )
        # The newest that both speak.
        version = max((one for one in versions if one in SPOKEN), default=None)
        if version is None:
            newest = max(versions, default=0)
            raise ProtocolError(f"the program that connects speaks tq/{newest}, {_other(newest)}")
        shard = more[0] if more else 0
        if shard >= self._shards:
            raise ProtocolError(
                f"there is no shard {shard} in this cluster: it has {self._shards}, numbered from 0"
            )
        found = self._lookup(key_id, shard)
        self._shard = shard
        self._key_id = key_id
        # An unknown id goes the whole way, see the module's docstring.
        self._verifier = found if found is not None else _made_up(key_id, self._random)
        self._role, self._node = Role(role), node
        challenge = pack([version, self._cluster_id, self._random(NONCE_BYTES), self._verifier.kdf])
        # Over the bytes as they were sent and not over what was read of them: two writings of one HELLO are two transcripts.
        self._transcript = _transcript(body, challenge, self._certificate)
        return challenge

    def on_proof(self, body: bytes) -> tuple[Admitted, bytes]:
        """Who came in and the WELCOME for it; raises Rejected."""
        verifier = self._verifier
        if verifier is None:
            raise ProtocolError("a PROOF before HELLO")
        self._verifier = None  # one try per connection
        match unpack(body):
            case [bytes(proof)] if len(proof) == DIGEST_BYTES:
                pass
            case _:
                raise ProtocolError("a PROOF is [32 bytes]")
        signature = hmac.digest(verifier.stored_key, _CLIENT_LABEL + self._transcript, "sha256")
        client_key = _xor(proof, signature)
        right = hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key)
        # As it is now: it may have been revoked or replaced since HELLO.
        known = self._lookup(self._key_id, self._shard)
        # One sentence for all of these: which one it was would help to guess.
        if not right or known is None or known.is_revoked or known.stored_key != verifier.stored_key:
            raise Rejected(_REFUSED)
        verifier = known
        # Behind the proof: only who knows the key learns which role it has.
        if not verifier.allows(self._role):
            raise Rejected(
                f"this key is a {verifier.role} key and cannot be used as {self._role}; {_where(self._role)}"
            )
        session = self._random(SESSION_ID_BYTES)
        # As they are now, like the key.
        revoked = leaves.to_wire(self._revoked(self._shard))
        more = [self._shards, revoked] if revoked else [] if self._shards == 1 else [self._shards]
        settings = pack([session, *self._settings, *more])
        signed = _SERVER_LABEL + self._transcript + body + settings
        welcome = pack([hmac.digest(verifier.server_key, signed, "sha256"), settings])
        node = node_of(verifier.key_id, self._node)
        admitted = Admitted(verifier=verifier, role=self._role, node=node, session=session, shard=self._shard)
        return admitted, welcome


def shard_of_hello(body: bytes) -> int:
    """Which shard it names, as far as it can be read; what is wrong with it is said by who answers it."""
    try:
        match unpack(body):
            case [_, _, _, _, _, *more] if _is_shard(more):
                return int(more[0])
    except ProtocolError:
        pass
    return 0


def _is_shard(more: list[Any]) -> bool:
    """Whether what stands behind the rest of a HELLO names a shard."""
    return len(more) == 1 and type(more[0]) is int and 0 <= more[0] < SHARDS_MAX


def _understood(more: list[Any]) -> tuple[int, Sequence[Revocation]] | None:
    """What stands behind the rest of the settings: the number of shards, and leaves that are revoked. None: something else."""
    if not more:
        return 1, ()
    if type(more[0]) is not int or not 1 <= more[0] <= SHARDS_MAX or more == [1]:
        return None
    if len(more) == 1:
        return more[0], ()
    revoked = leaves.from_wire(more[1]) if len(more) == 2 else None
    return None if revoked is None else (more[0], revoked)


def _where(role: Role) -> str:
    """Where a key of a role comes from. The command that makes keys needs an admin key itself."""
    of_the_master = f"--authkey-file {role}.key: the master made that file in its data directory"
    return (
        of_the_master if role == Role.ADMIN else f"{of_the_master}; `tq keys add --role {role}` makes others"
    )


def _transcript(hello: bytes, challenge: bytes, certificate: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in (hello, challenge, hashlib.sha256(certificate).digest()):
        # With its length: bytes cannot be moved from one part to the next.
        digest.update(struct.pack(">I", len(part)) + part)
    return digest.digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _made_up(key_id: str, random: Callable[[int], bytes]) -> Verifier:
    """A verifier that no proof satisfies, of the kind that a key of that id would have."""
    secret: Any = random(DIGEST_BYTES)
    return Verifier(
        key_id=key_id,
        role=Role.VIEWER,
        kdf=KDF_SCRYPT if key_id == AUTHKEY_ID else KDF_NONE,
        stored_key=secret,
        server_key=secret,
        state="revoked",
    )
