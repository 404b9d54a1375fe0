"""What measurements mean: each becomes one finding. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ....common.domain.durations import span
from ....common.runtime.checkup import Checkup
from ....common.version import VERSION

AHEAD_SECONDS_MAX: Final = 1.0  # beyond it due times and expiries are visibly wrong
ROUND_TRIP_SECONDS_MAX: Final = 0.25  # one submit each: four a second
FSYNC_SECONDS_MAX: Final = 0.05  # healthy disks take less than 10 ms; group commit hides some of it
FAILED_SECONDS_MAX: Final = 3_600.0  # a store that failed within the hour is worth a look
COMMIT_SECONDS_MAX: Final = 0.1  # all callers wait for it
SCHEDULES_SHOWN: Final = 3  # of those with which something is wrong
FREE_SHARE_MIN: Final = 0.05
FREE_BYTES_MIN: Final = 1_000_000_000  # as tq-master check has it


def brief(seconds: float) -> str:
    """As people compare it: ``0.34 ms``, ``12 ms``, ``1.3 s``."""
    return f"{seconds * 1000:.2g} ms" if seconds < 0.01 else span(seconds)


def judge_clock(found: Checkup, ahead_seconds: float, round_trip_seconds: float) -> None:
    """``ahead_seconds``: the master's clock less ours, known to half a round trip."""
    # Less what the measurement itself may be off.
    if abs(ahead_seconds) - round_trip_seconds / 2 > AHEAD_SECONDS_MAX:
        which = "ahead of" if ahead_seconds > 0 else "behind"
        found.warn(
            "clock",
            f"the master's is {span(abs(ahead_seconds))} {which} this one: delays and due times are "
            "meant in the master's; run an NTP client on both hosts",
        )
    else:
        found.ok("clock", "the master's is the same, within a second")


def judge_versions(found: Checkup, master: str, workers: Sequence[Mapping[str, Any]]) -> None:
    others = Counter(str(row["version"]) for row in workers if row["version"] != master)
    differences = [f"this tq is {VERSION}"] if master != VERSION else []
    differences += [f"{count} workers are {version}" for version, count in others.items()]
    if differences:
        found.warn(
            "versions",
            f"the master is {master}, {', '.join(differences)}; upgrade all to one version, the master first",
        )
    else:
        found.ok("versions", f"{VERSION} here, on the master and on every worker")


def judge_round_trip(found: Checkup, seconds: Sequence[float]) -> None:
    # Not the mean: one slow packet is not a slow network.
    median = sorted(seconds)[len(seconds) // 2]
    text = f"{brief(median)} to the master and back (median of {len(seconds)}, slowest {brief(max(seconds))})"
    if median > ROUND_TRIP_SECONDS_MAX:
        found.warn("round trip", f"{text}; submit by map or in app.batch(), and look at network and load")
    else:
        found.ok("round trip", text)


def judge_disk(found: Checkup, measured: Mapping[str, Any]) -> None:
    if not measured:
        found.warn("disk", "another check measures it at this moment; try again")
        return
    if "error" in measured:
        found.fail(
            "disk",
            f"nothing can be written in {measured['error']}; see what the kernel says on the master's host (dmesg, mount), "
            "mend or remount it: the master goes on by itself",
        )
        return
    free, total, seconds = measured["free_bytes"], measured["total_bytes"], measured["fsync_seconds"]
    text = f"{free / 1e9:,.1f} GB of {total / 1e9:,.1f} GB are free; fsync takes {brief(seconds)}"
    remedies = []
    if free < max(FREE_BYTES_MIN, total * FREE_SHARE_MIN):
        remedies.append("make room: a full disk means that nothing more is accepted")
    if seconds > FSYNC_SECONDS_MAX:
        remedies.append("a slow fsync bounds how fast tasks are stored: give --data a local SSD")
    if remedies:
        found.warn("disk", "; ".join([text, *remedies]))
    else:
        found.ok("disk", text)


def judge_store(found: Checkup, info: Mapping[str, Any]) -> None:
    """Whether transactions fail, or did of late, and whether a part of its file could not be read when it was asked for."""
    _judge_trouble(found, info)
    if info.get("damage"):
        found.fail("store", f"{info.get('data', 'the store')}: {info['damage']}")


def _judge_trouble(found: Checkup, info: Mapping[str, Any]) -> None:
    trouble = info.get("trouble")
    if not trouble:
        return
    where = f"{info.get('data', 'the store')}: {trouble['error']}"
    if trouble["seconds"]:
        found.fail(
            "store", f"it has failed for {span(trouble['seconds'])}, nothing more is accepted; {where}"
        )
    elif trouble["last_seconds_ago"] < FAILED_SECONDS_MAX:
        found.warn("store", f"it failed {span(trouble['last_seconds_ago'])} ago and works again; {where}")


def judge_commit(found: Checkup, info: Mapping[str, Any]) -> None:
    """The slowest commit of late is what a caller waits for at worst."""
    seconds = info.get("commit_seconds")
    if info.get("durability") == "memory":
        found.warn("commit", "durability is memory: nothing survives the master; start it with fsync")
    elif seconds is not None:
        text = f"the slowest commit of late took {brief(seconds)}, durability {info['durability']}"
        if seconds > COMMIT_SECONDS_MAX:
            found.warn("commit", f"{text}; all callers wait for it: put the store on a faster disk")
        else:
            found.ok("commit", text)


def judge_workers(found: Checkup, rows: Sequence[Mapping[str, Any]]) -> None:
    here = [row for row in rows if row["connected"]]
    if not here:
        gone = f" ({len(rows)} were here)" if rows else ""
        found.fail(
            "workers",
            f"none is connected{gone}, so tasks wait; start one: "
            "tq-worker --connect HOST:PORT --authkey-file worker.key MODULE",
        )
        return
    slots, running = (sum(row[name] for row in here) for name in ("slots", "running"))
    hosts = len({row["host"] for row in here})
    text = (
        f"{len(here)} connected on {hosts} host{'s' if hosts != 1 else ''}, {running} of {slots} slots busy"
    )
    away = len(rows) - len(here)
    if away:
        found.warn("workers", f"{text}; {away} more went away within the hour: `tq workers` lists them")
    else:
        found.ok("workers", text)


def judge_shards(found: Checkup, shards: int, missing: str) -> None:
    """``missing``: those that do not answer, in words, and behind a colon what that means for a list."""
    if missing:
        which = missing.partition(":")[0]
        found.fail("shards", f"{which}: tasks there wait; look at the log of the master that hosts them")
    elif shards > 1:
        found.ok("shards", f"all {shards} answer")


def judge_schedules(found: Checkup, rows: Sequence[Mapping[str, Any]]) -> None:
    """What a person who expects their tasks should know."""
    if not rows:
        return
    wrong = [
        f"{row['differing']} of {row['workers']} workers have {row['name']} in their code otherwise than it holds: serve one "
        "version of the code"
        for row in rows
        if row["differing"]
    ]
    wrong += [f"{row['name']} is stopped: {row['why']}" for row in rows if row["state"] == "stopped"]
    wrong += [
        f"{row['name']} is orphaned: it stops soon, for no worker has it in its code any more"
        for row in rows
        if row["state"] == "orphaned"
    ]
    wrong += [f"{row['name']} is paused: {row['why']}" for row in rows if row["state"] == "paused"]
    if wrong:
        more = f"; and {len(wrong) - SCHEDULES_SHOWN} more" if len(wrong) > SCHEDULES_SHOWN else ""
        found.warn("schedules", f"{'; '.join(wrong[:SCHEDULES_SHOWN])}{more}; `tq schedule ls` lists them")
    else:
        found.ok("schedules", f"{len(rows):,} make their tasks")
