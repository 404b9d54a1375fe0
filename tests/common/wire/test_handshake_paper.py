"""The session on paper of docs/handshake.md is what the code computes."""

from __future__ import annotations

import re
from pathlib import Path

from tq.common.auth.keys import KDF_SCRYPT, key_pair

PAPER = Path(__file__).parents[3] / "docs" / "handshake.md"


def test_the_keys_on_paper_are_the_keys_of_the_code() -> None:
    text = PAPER.read_text("utf-8")
    keys = key_pair(b"correct horse battery staple", KDF_SCRYPT, bytes(range(16)))
    shown = dict(re.findall(r"\| `(\w+_key)` \| `([0-9a-f]{64})` \|", text))
    assert shown == {"stored_key": keys.stored_key.hex(), "server_key": keys.server_key.hex()}


def test_the_code_on_paper_runs_and_gives_the_same() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAPER.read_text("utf-8"), re.DOTALL)
    names: dict[str, bytes] = {}
    exec(code, {}, names)  # noqa: S102 - our own documentation
    keys = key_pair(b"correct horse battery staple", KDF_SCRYPT, bytes(range(16)))
    assert (names["client_key"], names["server_key"]) == (keys.client_key, keys.server_key)
