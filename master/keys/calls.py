"""The keys, as every master exposes them. ``master/tasks/calls.py`` has the rules of exposed objects, ``keyring.py`` the behaviour.

``get_keys()``. Each method passes on the key of its caller, which limits what the caller may grant, see and revoke.
"""

from __future__ import annotations

from typing import Any

from ...common.auth.keys import Credential, key_id_of
from ...common.contract.exposed import exposed
from ...common.domain.key_quota import NO_QUOTA
from ...common.domain.model import Role
from ...common.domain.shards import ONLY_SHARD
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..api.validation import EngineObject, validate_list, validate_text
from ..engine.session import Call
from .keyring import Keyring


class Keys(EngineObject):
    """``get_keys()``"""

    @exposed(Role.ADMIN)
    def add(
        self,
        call: Call,
        role: str,
        queues: list[str],
        note: str = "",
        tenant: str = "",
        quota: dict[str, Any] | None = None,
        token: str | None = None,
    ) -> str:
        """Create a key; returns its join token, which cannot be shown again. ``tenant``: of all tasks that it submits; empty: they say it
        themselves. ``quota``: of its tasks that have not ended, see ``set``. ``token``: the one that another shard has answered: a key
        is the same in all."""
        try:
            wanted = Role(role)
        except ValueError:
            raise InvalidArgument(f"role {brief(role)} is unknown; one of: {', '.join(Role)}") from None
        token = self.engine.part(Keyring).add(
            wanted,
            validate_list("queues", queues),
            validate_text("note", note),
            self.engine.now,
            call.session.verifier,
            validate_text("tenant", tenant),
            NO_QUOTA if quota is None else NO_QUOTA.with_changes(quota),
            None if token is None else self._made(token),
        )
        call.concerns(f"{key_id_of(token)} ({wanted})")
        return token

    def _made(self, token: str) -> Credential:
        if self.engine.core.shard == ONLY_SHARD:
            raise InvalidArgument(
                "this cluster has one shard, which makes its keys itself: leave out the token"
            )
        made = Credential.parse(validate_text("token", token))
        if made.pin != self.engine.part(Keyring).pin:
            raise InvalidArgument("the token names another certificate than this cluster's")
        return made

    @exposed(Role.ADMIN)
    def set(self, call: Call, key_id: str, changes: dict[str, Any]) -> None:
        """Change ``max_queued`` (tasks that have not ended) or ``max_queued_bytes`` (of their arguments) of a key, nil: any number."""
        keyring = self.engine.part(Keyring)
        keyring.set_quota(validate_text("key_id", key_id), changes, call.session.verifier)

    @exposed(Role.ADMIN)
    def revoke(self, call: Call, key_id: str) -> None:
        """Revoke a key: it opens no more sessions, and its open sessions are closed."""
        sessions = list(self.engine.sessions)
        self.engine.part(Keyring).revoke(validate_text("key_id", key_id), sessions, call.session.verifier)

    @exposed(Role.ADMIN)
    def list(self, call: Call) -> list[dict[str, Any]]:
        """The keys that the caller's key could have granted, and the caller's key."""
        return self.engine.part(Keyring).listing(self.engine.now, call.session.verifier)
