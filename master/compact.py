"""``tq-master compact``: writes the store of a master that does not run again, without the space that it does not use.

A running master gives unused space back by itself, a few pages at a time. This is for what that cannot do: a store that was made
by a version before it could, and a file that is to be as small as possible now.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..common.errors import ConfigError
from ..common.runtime.config import MasterSettings
from .store.cluster_files import DEFAULT_START, STORE_FILE, has_lost_log, log_of, problems
from .store.directory_lock import DataLock, holder
from .store.shard_files import folders_of
from .store.sqlite.compaction import compact as compact_file

COMPACT: Final = "compact"  # as the first word of tq-master


def compact(settings: MasterSettings) -> str:
    """What it came to, for people. Raises ConfigError with what to do."""
    if settings.store is not None:
        raise ConfigError(
            "the store is in a database, which gives unused space back by itself (autovacuum, VACUUM)"
        )
    if settings.durability == "memory":
        raise ConfigError("durability is memory: there is no store to compact")
    # Each shard in its turn: one at a time needs the room of one more.
    return "\n".join(_compact(folder) for folder in folders_of(settings.data))


def _compact(data: Path) -> str:
    file = data / STORE_FILE
    running = holder(data) if data.is_dir() else None
    if running is not None:
        raise ConfigError(
            f"a tq-master (process {running}) uses {data}; stop it first. It gives unused space back while it runs, too, if its "
            "store was made by this version of tq, or was compacted once"
        )
    if not file.is_file() or not file.stat().st_size:
        raise ConfigError(f"there is no store in {data}; name its directory with --data")
    if wrong := problems(data, durable=True, own_keys=False, start=DEFAULT_START):
        raise ConfigError("\n".join(wrong))
    lock = DataLock(data)
    try:
        if not lock.was_closed and has_lost_log(file):
            raise ConfigError(
                f"{log_of(file)} is gone, and what was accepted last was in it; restore both from a copy, or start the master once, "
                "which goes on without it, and compact then"
            )
        done = compact_file(file, lock.say_closed)
    except BaseException:
        lock.release(closed=lock.was_closed)
        raise
    lock.release()
    saved = done.before_bytes - done.after_bytes
    return (
        f"{file}: {done.before_bytes / 1e6:,.1f} MB before, {done.after_bytes / 1e6:,.1f} MB now; "
        f"{saved / 1e6:,.1f} MB were given back"
    )
