"""Where a key comes from, and how it stays out of sight. Files, variables, prompts; no meaning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from ..errors import ConfigError
from ..runtime.hiding import take_variable
from .keys import is_token

VARIABLE: Final = "TQ_AUTHKEY"
OWN_FILES: Final = ("admin.key", "client.key", "worker.key")  # of a master, in its data directory


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


def take_masters_authkey(option: str | None, file: Path | None) -> tuple[str | None, bool]:
    """The plain key of a master, as ``take_authkey``; and whether TQ_AUTHKEY was passed over, because it holds a join token. That
    is for clients and workers: the shell in which they are started may start the master again, which has keys of its own."""
    key = take_authkey(option, file)
    is_passed_over = option is None and file is None and key is not None and is_token(key)
    return (None, True) if is_passed_over else (key, False)


def read_key_file(file: Path) -> str:
    try:
        text = file.read_text("utf-8").strip()
    except FileNotFoundError:
        own = file.name in OWN_FILES
        remedy = "; a master that is started again makes its own key files that are gone" if own else ""
        raise ConfigError(f"there is no key file {file}{remedy}") from None
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
