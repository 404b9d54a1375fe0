"""The keys that this master accepts: their verifiers are stored, and kept in memory.

A verifier is no secret that opens a session: no key can be computed from it (see common/auth/keys.py). Revoking a key closes
its sessions.

A key is the same in all shards of a cluster, and each has a part of its quota (``common/domain/quota_parts.py``).

Invariants: 1. a key grants, revokes and sees only keys within its own role and queues:
``add``, ``revoke`` and ``listing`` get the key of the caller; 2. a session, and each of its calls, is admitted by the
verifier as it is at that moment, so every session of a revoked key ends, however old it is (``admits``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...common.auth.keys import AUTHKEY_ID, Credential, Verifier, make_token_verifier, mint_token, new_key_id
from ...common.domain.expressions import check_key
from ...common.domain.key_quota import NO_QUOTA, KeyQuota
from ...common.domain.model import Role, check_name
from ...common.domain.quota_parts import NO_QUOTA_HERE, QuotaHere, check_quota_parts, quota_here
from ...common.domain.shards import ONLY_SHARD, Shard
from ...common.errors import Forbidden, InvalidArgument
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.keys import KeyRow
from ..store.interface.store import Picture, Store

TOKEN_SECRET_BYTES: Final = 32
KEYS_MAX: Final = 10_000
KEY_REVOKED: Final = "its key was revoked"
USED_EVERY_MS: Final = 60_000  # "last used" is this coarse, so that a busy key costs no writes


class Keyring(Part):
    def __init__(
        self,
        store: Store,
        random_bytes: Callable[[int], bytes],
        closing: Callable[[Session, str], None],
        shard: Shard = ONLY_SHARD,
    ) -> None:
        self._store, self._random_bytes, self._closing, self._shard = store, random_bytes, closing, shard
        self._verifiers: dict[str, Verifier] = {}
        self._quotas: dict[str, QuotaHere] = {}  # of the keys that have one
        self._unstored: dict[
            str, Verifier
        ] = {}  # of keys that are read from a file at each start and not stored
        self.use_of: Callable[[str], tuple[int, int]] = lambda key_id: (0, 0)  # who counts is made later
        self.pin = b""  # SHA-256 of the master's certificate, part of every token

    def load(self, picture: Picture, now: Now) -> None:
        self._verifiers = {row.id: verifier_of(row) for row in self._store.key_rows()}
        self._quotas.clear()
        for verifier in (*self._verifiers.values(), *self._unstored.values()):
            self._note_quota(verifier)

    def find(self, key_id: str) -> Verifier | None:
        """The verifier of a key in any state; the handshake checks the state."""
        return self._verifiers.get(key_id) or self._unstored.get(key_id)

    def admits(self, session: Session) -> bool:
        """Whether the key that opened a session still exists and is not revoked."""
        verifier = self.find(session.verifier.key_id)
        return verifier is not None and not verifier.is_revoked

    def unstored(self, key_id: str) -> Verifier:
        return self._unstored[key_id]

    def add_unstored(self, verifier: Verifier) -> None:
        """Accept the key of an entrance besides the main port, until this process ends."""
        self._unstored[verifier.key_id] = verifier
        self._note_quota(verifier)

    def tenant_of(self, key_id: str) -> str:
        """Of all tasks that a key submits; empty: they say it themselves."""
        verifier = self.find(key_id)
        return "" if verifier is None else verifier.tenant

    def quota_of(self, key_id: str) -> QuotaHere:
        return self._quotas.get(key_id, NO_QUOTA_HERE)

    def _note_quota(self, key: Verifier) -> None:
        if key.quota == NO_QUOTA:
            self._quotas.pop(key.key_id, None)
        else:
            self._quotas[key.key_id] = quota_here(key.quota, key.key_id, key.queues, self._shard)

    def set_quota(self, key_id: str, changes: Mapping[str, Any], grantor: Verifier | None = None) -> None:
        """Change what the tasks of a key may come to, at once. Raises InvalidArgument."""
        verifier = self.find(key_id)
        if verifier is None or not _may_see(grantor, verifier):
            raise InvalidArgument(f"there is no key {key_id!r}; `tq keys list` shows them")
        if key_id in self._unstored:
            raise InvalidArgument(
                f"key {key_id!r} is another one after each start of the master and has no quota"
            )
        quota = verifier.quota.with_changes(changes)
        self._check_quota(verifier.role, verifier.queues, quota)
        self.put(replace(verifier, quota=quota))

    def _check_quota(self, role: Role, queues: Sequence[str], quota: KeyQuota) -> None:
        """What bounds nothing is refused: who sets it believes that it does."""
        if role == Role.VIEWER and quota != NO_QUOTA:
            raise InvalidArgument(
                "a key with the role viewer submits nothing, so a quota of its tasks bounds nothing; leave out --max-queued and "
                "--max-queued-bytes, or make a key with --role client"
            )
        check_quota_parts(quota, queues, self._shard.of)

    def _used(self, key: Verifier) -> dict[str, int | None]:
        """What the tasks of a key with a quota come to here; None: it has none, and nothing is counted."""
        if key.quota == NO_QUOTA:
            return {"queued": None, "queued_bytes": None}
        tasks, size = self.use_of(key.key_id)
        divided = {} if self._shard.of == 1 else {"over": self.quota_of(key.key_id).over}
        return {"queued": tasks, "queued_bytes": size, **divided}

    def stored(self) -> list[Verifier]:
        """All of its keys but those of entrances besides the main port."""
        return list(self._verifiers.values())

    def take_over(self, keys: Iterable[Verifier]) -> None:
        """Of another shard than the first: these are the cluster's keys, as the first one has them. One that it does not have is no key; one
        that was revoked here stays so, for who revokes it may not have reached the first one yet."""
        known = {key.key_id: key for key in keys}
        for key_id, key in known.items():
            own = self._verifiers.get(key_id)
            if own is not None and own.is_revoked and key_id != AUTHKEY_ID:
                continue
            # When it was used last each shard counts by itself.
            wanted = (
                replace(key, created=own.created, last_used=own.last_used)
                if own
                else replace(key, last_used=None)
            )
            if wanted != own:
                self.put(wanted)
        for own in self.stored():
            if own.key_id not in known and not own.is_revoked:
                self.put(replace(own, state="revoked"))

    def has_role(self, role: Role) -> bool:
        return any(key.role == role and key.state != "revoked" for key in self._verifiers.values())

    def put(self, verifier: Verifier) -> None:
        """Store a verifier; replaces one of the same id."""
        # Each key is in memory, and in the listing.
        if verifier.key_id not in self._verifiers and len(self._verifiers) >= KEYS_MAX:
            raise InvalidArgument(f"more than {KEYS_MAX:,} keys; revoked ones count until they are forgotten")
        self._store.put_key(_row(verifier))
        self._verifiers[verifier.key_id] = verifier
        self._note_quota(verifier)

    def add(
        self,
        role: Role,
        queues: list[str],
        note: str,
        now: Now,
        grantor: Verifier | None = None,
        tenant: str = "",
        quota: KeyQuota = NO_QUOTA,
        made: Credential | None = None,
    ) -> str:
        """Create a key; returns its join token, which is not stored. ``grantor``: the caller's key; None: the master itself. ``tenant``:
        of all tasks that it submits; empty: they say it themselves. ``quota``: of those that have not ended. ``made``: the key that
        another shard of the cluster has made; it may come twice."""
        for pattern in queues:
            check_name("queue", pattern)
        check_key("the tenant of a key", tenant)
        self._check_quota(role, queues, quota)
        # Or a tenant could make itself a key for the tasks of others.
        if grantor is not None and grantor.tenant and tenant != grantor.tenant:
            raise Forbidden(
                f"this key is of tenant {grantor.tenant} and makes keys of it alone: add --tenant {grantor.tenant}, or use a key "
                "without a tenant"
            )
        if grantor is not None and not grantor.covers(role, queues):
            raise Forbidden(
                f"this key is {_words(grantor.role, grantor.queues)} and cannot grant {_words(role, queues)}; "
                "choose queues within its own, or use a key that covers them"
            )
        if made is None:
            secret, key_id = self._random_bytes(TOKEN_SECRET_BYTES), new_key_id(self._random_bytes)
        else:
            secret, key_id = made.secret, made.key_id
        verifier = make_token_verifier(
            key_id,
            secret,
            role=role,
            queues=tuple(queues),
            note=note,
            created=now.steady,
            tenant=tenant,
            quota=quota,
        )
        known = self.find(key_id)
        if known is None:
            self.put(verifier)
        elif (known.stored_key, known.role, known.queues) != (verifier.stored_key, role, verifier.queues):
            raise InvalidArgument(f"there is another key {key_id}; a new one is made without naming one")
        return mint_token(key_id, secret, self.pin)

    def revoke(self, key_id: str, sessions: list[Session], grantor: Verifier | None = None) -> None:
        verifier = self.find(key_id)
        if verifier is None or not _may_see(grantor, verifier):
            raise InvalidArgument(f"there is no key {key_id!r}; `tq keys list` shows them")
        revoked = replace(verifier, state="revoked")
        if key_id in self._unstored:
            self.add_unstored(revoked)
        else:
            self.put(revoked)
        for session in sessions:
            if session.verifier.key_id == key_id:
                self._closing(session, KEY_REVOKED)

    def used(self, key_id: str, now: Now) -> None:
        """A key has opened a session."""
        verifier = self._verifiers.get(key_id)
        if verifier is not None and now.steady - (verifier.last_used or 0) >= USED_EVERY_MS:
            self.put(replace(verifier, last_used=now.steady))

    def listing(self, now: Now, grantor: Verifier | None = None) -> list[dict[str, Any]]:
        """All keys that ``grantor`` could have granted."""
        return [
            {
                "id": key.key_id,
                "role": str(key.role),
                "queues": list(key.queues),
                "note": key.note,
                "tenant": key.tenant,
                **key.quota._asdict(),
                **self._used(key),
                "state": key.state,
                # Of an entrance besides the main port neither is known: its key comes with the process, from a file.
                "created": now.shown(key.created) if key.created else None,
                "last_used": None if key.last_used is None else now.shown(key.last_used),
            }
            for key in (*self._verifiers.values(), *self._unstored.values())
            if _may_see(grantor, key)
        ]


def _may_see(grantor: Verifier | None, key: Verifier) -> bool:
    # Its own key is shown to every caller, and may be revoked by it.
    if grantor is None or grantor.key_id == key.key_id:
        return True
    return grantor.covers(key.role, key.queues) and grantor.tenant in ("", key.tenant)


def _words(role: Role, queues: Sequence[str]) -> str:
    return f"a {role} key for {', '.join(queues) if queues else 'all queues'}"


def _row(key: Verifier) -> KeyRow:
    return KeyRow(
        key.key_id,
        str(key.role),
        "\n".join(key.queues),
        key.kdf,
        key.stored_key,
        key.server_key,
        key.state,
        key.note,
        key.created,
        key.last_used,
        key.tenant,
        *key.quota,
    )


def verifier_of(row: KeyRow) -> Verifier:
    return Verifier(
        key_id=row.id,
        role=Role(row.role),
        # A key for all queues has empty text here, which splits into one empty name.
        queues=tuple(filter(None, row.queues.split("\n"))),
        kdf=row.kdf,
        stored_key=row.stored_key,
        server_key=row.server_key,
        state=row.state,
        note=row.note,
        created=row.created,
        last_used=row.last_used,
        tenant=row.tenant,
        quota=KeyQuota(row.max_queued, row.max_queued_bytes),
    )
