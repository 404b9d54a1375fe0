"""The keys, as every master exposes them. See ``master/tasks/calls.py`` for the rules, ``keyring.py`` for what happens.

``get_keys()``. Each method hands on the key that asks, which bounds what it grants, sees and takes away.
"""

from __future__ import annotations

from typing import Any

from ...common.contract.exposed import exposed
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..api.validation import EngineObject, validate_list, validate_text
from ..engine.session import Call
from .keyring import Keyring


class Keys(EngineObject):
    """``get_keys()``"""

    @exposed(Role.ADMIN)
    def add(self, call: Call, role: str, queues: list[str], note: str = "") -> str:
        """A new key's join token. It is shown this once."""
        try:
            wanted = Role(role)
        except ValueError:
            raise InvalidArgument(f"role {brief(role)} is unknown; one of: {', '.join(Role)}") from None
        return self.engine.part(Keyring).add(
            wanted,
            validate_list("queues", queues),
            validate_text("note", note),
            self.engine.now,
            call.session.verifier,
        )

    @exposed(Role.ADMIN)
    def revoke(self, call: Call, key_id: str) -> None:
        """The key admits nobody from now on, and its sessions are closed."""
        sessions = list(self.engine.sessions)
        self.engine.part(Keyring).revoke(validate_text("key_id", key_id), sessions, call.session.verifier)

    @exposed(Role.ADMIN)
    def list(self, call: Call) -> list[dict[str, Any]]:
        """Those that the asking key could have made, and itself."""
        return self.engine.part(Keyring).listing(self.engine.now, call.session.verifier)
