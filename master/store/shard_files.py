"""The shards of a data directory: how many there are, where each is, and that they belong together.

::

    DIR/            shard 0, as the directory of a master of one shard; certificate, key files
    DIR/shards/K/   shard K: a store with its log, content, a lock

How many there are is written into shard 0's store with the cluster's id, before another one is made, and never changed: a queue is in
the shard of its name. Each other store has its own number and that one beside the same id, so that they know the cluster when shard 0
is lost. Once all have been made, one that is missing was lost: a new one in its place would know nothing of the work in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ...common.domain.shards import SHARDS_MAX, Shard
from ...common.errors import ConfigError
from ...common.values.brief import brief
from .cluster_files import CLUSTER_ID, NEW_STORE, RESTORE, STORE_FILE, StartOptions
from .interface.store import Store

FOLDER: Final = "shards"
SHARDS: Final = "shards"  # names in a store: how many there are, in that of shard 0; none: one
MADE: Final = "shards_made"  # in that of shard 0: all of them are
SHARD: Final = "shard"  # in each other: which one it is, of how many: 3/16


def folder_of(data: Path, shard: int) -> Path:
    return data if shard == 0 else data / FOLDER / str(shard)


def is_complete(meta: Mapping[str, bytes]) -> bool:
    """Whether what shard 0's store says is of a cluster of several shards, each of which has been made."""
    return SHARDS in meta and MADE in meta


def folders_of(data: Path) -> list[Path]:
    """Of all shards that are there, shard 0's first, whether it is there or not."""
    others = [int(one.name) for one in (data / FOLDER).glob("*") if one.name.isdigit() and is_there(one)]
    return [data, *(folder_of(data, shard) for shard in sorted(others))]


def is_there(folder: Path) -> bool:
    """Whether there is a store, which is not empty."""
    file = folder / STORE_FILE
    return file.exists() and file.stat().st_size > 0


def start_of(data: Path, shard: int, start: StartOptions) -> StartOptions:
    """What the options of a start mean for one shard: of several, a new store is for those whose store is gone."""
    if not start.new_store or (shard == 0 and not (data / FOLDER).is_dir()):
        return start
    return start._replace(new_store=not is_there(folder_of(data, shard)))


def number_of_shards(store: Store, wanted: int | None, where: str) -> int:
    """How many the cluster of shard 0's store has; of a new one, how many it is to have. Raises ConfigError."""
    store.begin()
    known, recorded = store.get_meta(CLUSTER_ID), store.get_meta(SHARDS)
    store.rollback()
    if known is None:
        return wanted or 1
    count = read_number(recorded, where)
    check_number(count, wanted, where)
    return count


def check_number(count: int, wanted: int | None, where: str) -> None:
    """``wanted``: as the options say, None: they do not. Raises ConfigError."""
    if wanted not in (None, count):
        raise ConfigError(
            f"{where} has {count} shard{'' if count == 1 else 's'}, and --shards says {wanted}: how many there are is fixed when a "
            f"store is made, because a queue is in the shard of its name. Leave out --shards; for {wanted}, begin another cluster "
            "in another directory or database, and let this one finish what it has"
        )


def read_number(recorded: bytes | None, where: str) -> int:
    """What a store says of how many there are. Raises ConfigError."""
    if recorded is None:
        return 1
    text = recorded.decode("ascii", "replace")
    if not text.isdigit() or not 1 < int(text) <= SHARDS_MAX:
        raise ConfigError(
            f"{where} says that its cluster has {brief(text, 40)} shards, which is no number of them; {RESTORE}"
        )
    return int(text)


def record(store: Store, shards: int) -> None:
    """In the transaction in which the cluster's id is stored."""
    if shards > 1:
        store.set_meta(SHARDS, str(shards).encode())


def were_made(first: Store) -> bool:
    """Whether all shards have been made. ``first``: the store of shard 0."""
    first.begin()
    found = first.get_meta(MADE) is not None
    first.rollback()
    return found


def check_is_not_lost(first: Store, data: Path, shard: Shard, start: StartOptions) -> None:
    """``first``: of shard 0; ``start``: of this one. Raises ConfigError if it was there before."""
    if were_made(first) and not start.new_store and not is_there(folder_of(data, shard.number)):
        raise ConfigError(lost(data, shard))


def check_has_rows(store: Store, where: str, shard: Shard) -> None:
    """The same in a database, which has all shards, and whose shards were made. ``store``: of this one. Raises ConfigError."""
    store.begin()
    is_known = store.get_meta(CLUSTER_ID) is not None
    store.rollback()
    if not is_known:
        raise ConfigError(
            f"{where} has no rows of shard {shard.number} of the {shard.of} of this cluster, and had them: restore the whole schema "
            "from a backup, all tables of one moment"
        )


def lost(data: Path, shard: Shard) -> str:
    file = folder_of(data, shard.number) / STORE_FILE
    how = "is empty" if file.exists() else "is missing"
    return (
        f"{file} {how}: shard {shard.number} of the {shard.of} of this cluster, with its queues and tasks, was in that file; "
        f"{RESTORE}, or, to begin that shard with no tasks, start once with {NEW_STORE}"
    )


def claim(store: Store, where: str, cluster_id: bytes, shard: Shard) -> None:
    """The store of another shard than 0 is of this cluster, in a transaction of its own. Raises ConfigError."""
    store.begin()
    known, number = store.get_meta(CLUSTER_ID), store.get_meta(SHARD)
    own = _named(shard)
    if known is None:
        store.set_meta(CLUSTER_ID, cluster_id)
        store.set_meta(SHARD, own)
        store.commit()
        return
    store.rollback()
    problem = stranger(where, known == cluster_id, number, shard)
    if problem is not None:
        raise ConfigError(problem)


def stranger(where: str, is_of_cluster: bool, number: bytes | None, shard: Shard) -> str | None:
    """Why a store that knows its cluster is not that of this shard. ``number``: what it says of itself."""
    if not is_of_cluster:
        return f"{where} is of another cluster than the shard 0 beside it; {RESTORE}"
    if number != _named(shard):
        text = "0" if number is None else number.decode("ascii", "replace")
        return f"{where} is the store of shard {text:.12}, in the directory of shard {shard.number}; put it where it was"
    return None


def _named(shard: Shard) -> bytes:
    return f"{shard.number}/{shard.of}".encode()


def number_without_first(meta: Mapping[str, bytes], where: str) -> int:
    """How many shards there are, as another one than shard 0 says. Raises ConfigError."""
    _, _, count = meta.get(SHARD, b"").partition(b"/")
    return read_number(count or b"none", where)


def all_are_made(first: Store) -> None:
    """From now on one that is missing was lost."""
    first.begin()
    if first.get_meta(MADE) is None:
        first.set_meta(MADE, b"1")
        first.commit()
    else:
        first.rollback()
