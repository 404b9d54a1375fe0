"""``tq-master check`` of the shards beside the first: is each there, whole, of this cluster and in its place? Nothing is changed."""

from __future__ import annotations

from ..common.domain.shards import Shard
from ..common.errors import ConfigError
from ..common.runtime.checkup import Checkup
from ..common.runtime.config import MasterSettings
from .store.cluster_files import STORE_FILE, StartOptions
from .store.shard_files import check_number, folder_of, is_there, lost, read_number, start_of, stranger
from .store.sqlite.inspection import HEADER_BYTES, StoreFacts, header_problem, inspect


def check_shards(
    found: Checkup, settings: MasterSettings, start: StartOptions, first: StoreFacts, newest: int
) -> None:
    """``first``: what the store of shard 0 knows. ``newest``: the schema of this version. Of one shard nothing is said."""
    count = _number(found, settings, first.knows_cluster, first.shards, str(settings.data / STORE_FILE))
    if count == 1:
        return
    missing, wrong = list[int](), False
    for number in range(1, count):
        shard = Shard(number, count)
        if is_there(folder_of(settings.data, number)):
            problem = _problem(settings, shard, first, newest)
        else:
            missing.append(number)
            is_new = start_of(settings.data, number, start).new_store
            problem = lost(settings.data, shard) if first.all_made and not is_new else None
        if problem is not None:
            wrong = True
            found.fail("shards", problem)
    if not wrong:
        made = f", {len(missing)} of them will be made" if missing else ", each of them whole (quick_check)"
        found.ok("shards", f"{count} shards{made}")


def check_number_of_database(
    found: Checkup, settings: MasterSettings, has_cluster: bool, recorded: bytes | None, where: str
) -> None:
    """``recorded``: what the database says of how many it has."""
    count = _number(found, settings, has_cluster, recorded, where)
    if count > 1:
        found.ok("shards", f"{count} shards{'' if has_cluster else ', all of them will be made'}")


def _number(
    found: Checkup, settings: MasterSettings, has_cluster: bool, recorded: bytes | None, where: str
) -> int:
    """How many there are, or are to be; 1 as well where that is wrong, which is said then."""
    if not has_cluster:
        return settings.shards or 1
    try:
        count = read_number(recorded, where)
        check_number(count, settings.shards, where)
    except ConfigError as error:
        found.fail("shards", str(error))
        return 1
    return count


def _problem(settings: MasterSettings, shard: Shard, first: StoreFacts, newest: int) -> str | None:
    file = folder_of(settings.data, shard.number) / STORE_FILE
    try:
        with file.open("rb") as store:
            header = store.read(HEADER_BYTES)
    except OSError as error:
        return f"cannot read {file}: {error.strerror}"
    if (problem := header_problem(file, header, newest)) is not None:
        return problem
    seen = inspect(file)
    if seen.wrong:
        return f"{file}: {seen.wrong}"
    if seen.facts is None or not seen.facts.knows_cluster:
        return lost(settings.data, shard) if first.all_made else None
    return stranger(str(file), seen.facts.cluster_id == first.cluster_id, seen.facts.shard, shard)
