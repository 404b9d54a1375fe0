"""Where a key comes from, and how it stays out of sight. Files, variables, prompts; no meaning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from ..errors import ConfigError
from ..runtime.hiding import take_variable

VARIABLE: Final = "TQ_AUTHKEY"


def take_authkey(option: str | None, file: Path | None) -> str | None:
    """The key as given: option, file, or TQ_AUTHKEY, which is taken out of the environment of our children.

    The option disappears from the process title at once, the variable from what ``/proc`` shows of this process.
    """
    from_environment = take_variable(VARIABLE)
    if option is not None:
        hide_from_title(option)
        return option
    if file is not None:
        return read_key_file(file)
    return from_environment or None


def read_key_file(file: Path) -> str:
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the key file {file}: {error}") from error
    if not text:
        raise ConfigError(f"the key file {file} is empty; write the key or the join token into it")
    return text


def hide_from_title(secret: str) -> None:
    """Rewrite what ``ps`` shows of this process, without the secret."""
    from setproctitle import setproctitle

    program = Path(sys.argv[0]).name
    words = [word.replace(secret, "[hidden]") if secret else word for word in sys.argv[1:]]
    setproctitle(" ".join([program, *words]))
