"""Where a master and a key are found when a program does not name them. Reads files; connects to nothing.

::

    given ─► ./.tq of a `tq dev` that runs here ─► TQ_URL, TQ_AUTHKEY ─► url and client.key in the user's
    configuration directory

A file that is found, and not named by the user, is opened without waiting and used only if it is a regular file of the user's
or of root's (found_files.py). ``./.tq`` counts only while its ``tq dev`` lives: that process holds a lock on ``.tq/live``,
which the kernel releases however the process dies, and has written its address into it. So a directory that was left behind
has no effect. It is searched for in the current directory and never above it, and not used when it belongs to another user:
anyone who can write to a directory above (``/tmp``, a shared disk) could otherwise choose where a program sends its tasks.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from ..auth.key_files import read_key_file
from ..domain.model import Role
from ..errors import ConfigError, Unreachable
from .found_files import Unfit, open_found, read_found

DEV_FOLDER: Final = ".tq"
LIVE_FILE: Final = "live"  # locked by its `tq dev`; holds {"url": …, "pid": …} once the master listens
STATE_FOLDER: Final = "state"  # of its master, with the keys
LIVE_BYTES_MAX: Final = 4096


class Dev(NamedTuple):
    """A ``tq dev`` that runs."""

    url: str
    pid: int
    folder: Path

    def key(self, role: Role) -> str:
        file = self.folder / STATE_FOLDER / f"{_holder(role)}.key"
        try:
            return read_found(file)
        except OSError as error:
            raise ConfigError(f"cannot read the key file {file}: {error}") from error
        except Unfit as error:
            raise ConfigError(f"the key file {file} {error}") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Whereabouts:
    """What was found; None: nowhere. ``looked``: the places that had no address, or no key if there is one."""

    url: str | None
    authkey: str | None = field(repr=False)
    looked: tuple[str, ...]


def discover(
    url: str | None, authkey: str | None, role: Role, environment: Mapping[str, str] = os.environ
) -> Whereabouts:
    """Address and key, each from the first place that has it.

    The key of a ``tq dev`` is for its address only. Raises Unreachable for one that is just starting,
    ConfigError for a key file that others can read.
    """
    looked: list[str] = []
    # With both given, an unfit directory does not matter.
    dev = None if url and authkey else find_dev(looked)
    if not url:
        url = dev.url if dev else environment.get("TQ_URL") or _configured("url", looked, "TQ_URL")
    if url and not authkey:
        looked.clear()
        if dev is not None and dev.url == url:
            authkey = dev.key(role)
        else:
            name = f"{_holder(role)}.key"
            authkey = _of_environment(environment) or _configured(name, looked, "TQ_AUTHKEY")
    return Whereabouts(url=url or None, authkey=authkey or None, looked=tuple(looked))


def find_dev(looked: list[str] | None = None) -> Dev | None:
    """The ``tq dev`` that runs in this directory, if there is one; why not goes to ``looked``."""
    looked = [] if looked is None else looked
    folder = Path(DEV_FOLDER)
    try:
        folder = folder.absolute()
        descriptor = open_found(folder / LIVE_FILE)
    except OSError:  # there is none, or no current directory any more
        looked.append(f"no `tq dev` runs here (there is no ./{DEV_FOLDER})")
        return None
    except Unfit as error:
        looked.append(f"./{DEV_FOLDER}/{LIVE_FILE} {error}: not used")
        return None
    try:
        # Or another user's file could send this program, with what it submits, to a master of theirs.
        if not (_is_ours(os.stat(folder)) and _is_ours(os.fstat(descriptor))):
            looked.append(f"./{DEV_FOLDER} belongs to another user, or others may write to it: not used")
            return None
        # The lock goes with its process: a file that a killed one left is not believed.
        if not _is_held(descriptor):
            looked.append(f"no `tq dev` runs here any more (./{DEV_FOLDER} is of an earlier one)")
            return None
        text = os.pread(descriptor, LIVE_BYTES_MAX, 0)
    finally:
        os.close(descriptor)
    if not text:
        raise Unreachable(
            f"a `tq dev` is starting or ending here (./{DEV_FOLDER}); wait until it says `next`"
        )
    try:
        live = json.loads(text)
        return Dev(str(live["url"]), int(live["pid"]), folder)
    except (ValueError, TypeError, KeyError):
        looked.append(f"./{DEV_FOLDER}/{LIVE_FILE} has an unknown form: not used")
        return None


def own_directory() -> Path:
    """Where a user keeps an address and keys for all programs."""
    import platformdirs

    return platformdirs.user_config_path("tq", appauthor=False)


def _holder(role: Role) -> Role:
    """The role whose key is used for a session of this role: a client's key may do what a viewer may."""
    return Role.CLIENT if role == Role.VIEWER else role


def _of_environment(environment: Mapping[str, str]) -> str | None:
    file = environment.get("TQ_AUTHKEY_FILE")
    return environment.get("TQ_AUTHKEY") or (read_key_file(Path(file)) if file else None)


def _configured(name: str, looked: list[str], variable: str) -> str | None:
    """What the user's directory holds under this name."""
    looked.append(f"{variable} is not set")
    file = own_directory() / name
    kind = "key file" if name.endswith(".key") else "file"
    try:
        return read_found(file, private=name.endswith(".key"))
    except OSError:
        looked.append(f"there is no {file}")
        return None
    except Unfit as error:
        raise ConfigError(f"the {kind} {file} {error}") from None


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o022


def _is_held(descriptor: int) -> bool:
    """Whether a process holds the lock. Trying takes it for a moment, shared, so that two programs can try at once."""
    try:
        import fcntl
    except ImportError:  # Windows: there is no `tq dev`
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    # The caller closes the descriptor, which gives the lock back.
    return False
