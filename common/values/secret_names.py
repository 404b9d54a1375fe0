"""Which names are those of secrets, in arguments, headers, fields and parameters."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "[hidden]"
_SECRET: Final = re.compile(
    r"pass(word|wd|phrase|code)|pwd|secret|token|credential|authorization|cookie|private|(^|[_\-.])(key|auth|pin)$"
    r"|(api|auth|access|join)[_\-.]?key",
    re.IGNORECASE,
)


def is_secret(name: object) -> bool:
    """Whether the name of a key or parameter looks like that of a secret."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return isinstance(name, str) and _SECRET.search(name) is not None
