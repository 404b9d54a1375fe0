"""The shards of a database beside the first, all opened by the master that owns the first: they are made so, before its masters share them.
Several at a time, for each waits for the network more than it works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from ..common.domain.shards import Shard
from ..common.runtime.config import MasterSettings
from .shard_resources import OpenStore, open_store, settings_of
from .standby.standing import LOOK_AGAIN_SECONDS
from .store import shard_files
from .store.cluster_files import DEFAULT_START
from .store.interface.store import OwnedElsewhere, Store

OTHERS_SECONDS_MAX: Final = 12.0  # three leases, after the first shard is this master's
AT_ONCE: Final = 8

Report = Callable[..., None]
Displaced = Callable[[str], None]


def open_others(
    settings: MasterSettings, count: int, first: Store, report: Report, displaced: Displaced
) -> dict[int, OpenStore]:
    """By their numbers; all or none. ``first``: the store of the first shard. Raises OwnedElsewhere, ConfigError."""
    numbers = range(1, count)
    for number in numbers:
        # The directory between the cluster's and the shard's own.
        shard_files.folder_of(settings.data, number).parent.mkdir(mode=0o700, exist_ok=True)
    were_made = shard_files.were_made(first)
    with ThreadPoolExecutor(AT_ONCE, "tq-open") as pool:
        waits = [pool.submit(_open, settings, number, report, displaced) for number in numbers]
    opened = {
        number: wait.result() for number, wait in zip(numbers, waits, strict=True) if wait.exception() is None
    }
    try:
        _raise_first(waits)
        for number, one in opened.items():
            if were_made:
                shard_files.check_has_rows(one.store, one.where, Shard(number, count))
    except BaseException:
        for one in opened.values():
            one.close()
        raise
    return opened


def _raise_first(waits: Sequence[Future[OpenStore]]) -> None:
    for wait in waits:
        wait.result()


def _open(settings: MasterSettings, number: int, report: Report, displaced: Displaced) -> OpenStore:
    """The owner before had the first shard as well, but renewed them one after the other: its time in this one may end a little later."""
    ends = time.monotonic() + OTHERS_SECONDS_MAX
    while True:
        try:
            its = settings_of(settings, number)
            return open_store(its, report, DEFAULT_START, displaced, own_keys=False, number=number)
        except OwnedElsewhere:
            if time.monotonic() > ends:
                raise
            time.sleep(LOOK_AGAIN_SECONDS)
