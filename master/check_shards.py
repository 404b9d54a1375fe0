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
    where = str(settings.data / STORE_FILE)
    try:
        count = read_number(first.shards, where)
        if first.knows_cluster:
            check_number(count, settings.shards, where)
        else:
            count = settings.shards or 1
    except ConfigError as error:
        found.fail("shards", str(error))
        return
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
