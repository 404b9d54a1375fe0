"""A new key for the shards that have not made it: they are given what they verify it by, and its secret stays with who made it."""

from __future__ import annotations

from typing import Any

from ...common.auth.keys import KDF_NONE, Credential, key_pair


def verifier_of(token: str) -> list[Any]:
    """``[key id, stored key, server key]`` of a join token."""
    credential = Credential.parse(token)
    keys = key_pair(credential.secret, KDF_NONE, b"")
    return [credential.key_id, keys.stored_key, keys.server_key]
