"""The keys that a master makes for itself, one file for each role: created if missing, recognised, never replaced silently.

The store has the verifiers, the files have the keys. A key is committed before its file is written: a crash in between
leaves a verifier whose key does not exist, and the next start creates another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ...common.auth.certificate import write_private
from ...common.auth.keys import Credential, make_token_verifier, mint_token
from ...common.domain.model import Role
from ...common.errors import ConfigError, InvalidArgument
from ..engine.clock import Now
from ..store.cluster_files import OWN_KEYS, STORE_FILE, key_file
from .keyring import Keyring

REMOVE: Final = "restore it from a copy, or remove it: the next start creates another"


class OwnKeys:
    """``adopt``: the store is new and has no verifiers; existing key files are accepted."""

    def __init__(self, keys: Keyring, data: Path, *, adopt: bool) -> None:
        self._keys, self._data, self._adopt = keys, data, adopt
        self._unwritten: list[tuple[Path, str]] = []
        self.replaced: list[Path] = []  # whose keys are still accepted: the file was gone

    def prepare(self, now: Now) -> bool:
        """Recognise existing keys and create missing ones, in a transaction; whether keys were created."""
        made = False
        for role in OWN_KEYS:
            file = key_file(self._data, role)
            credential = read(file)
            if credential is None or not self._has(file, role, credential, now):
                if credential is None and self._keys.has_role(role):
                    self.replaced.append(file)
                token = self._keys.add(role, [], f"{file.name}, made by tq-master", now)
                self._unwritten.append((file, token))
                made = True
            elif credential.pin != self._keys.pin:  # the certificate has changed, the key has not
                token = mint_token(credential.key_id, credential.secret, self._keys.pin)
                self._unwritten.append((file, token))
        return made

    def write(self) -> None:
        """Write the files. Called after the commit."""
        for file, token in self._unwritten:
            write_private(file, token.encode() + b"\n")
        self._unwritten.clear()

    def _has(self, file: Path, role: Role, credential: Credential, now: Now) -> bool:
        """Whether the store knows a file's key and accepts it; raises ConfigError when the store does not know it."""
        own = make_token_verifier(
            credential.key_id, credential.secret, role=role, note=f"{file.name}, kept", created=now.steady
        )
        known = self._keys.find(credential.key_id)
        if known is None and self._adopt:
            self._keys.put(own)
            return True
        if known is None or known.stored_key != own.stored_key:
            raise ConfigError(unknown(file, self._data))
        return not known.is_revoked or self._keys.has_role(role)


def unknown(file: Path, data: Path) -> str:
    return (
        f"{file} has a key that {data / STORE_FILE} does not know: it is of another cluster, or newer than a restored store; "
        f"{REMOVE}"
    )


def fits(credential: Credential, stored_keys: Mapping[str, bytes]) -> bool:
    """Whether a store with these verifiers knows a key. ``stored_keys``: by the key's id."""
    verifier = make_token_verifier(credential.key_id, credential.secret, role=Role.CLIENT)
    return stored_keys.get(credential.key_id) == verifier.stored_key


def read(file: Path) -> Credential | None:
    """The key in a file; None if the file does not exist. Raises ConfigError if it has no valid key."""
    try:
        credential = Credential.parse(file.read_text("ascii"))
    except FileNotFoundError:
        return None
    except (InvalidArgument, UnicodeDecodeError) as error:
        why = (
            str(error)
            if isinstance(error, InvalidArgument) and file.stat().st_size
            else "it is empty or not text"
        )
        raise ConfigError(f"{file} has no valid key ({why}); {REMOVE}") from None
    if credential.pin is None:
        raise ConfigError(f"{file} has no join token as a master creates it; {REMOVE}")
    return credential
