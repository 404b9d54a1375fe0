"""How the answers of several shards become one. Each function here is named by a route in ``common/contract/routes.py``.

::

    ask every shard ─► answers by shard ─► sums, unions, rows in one order ─► the answer that one shard would give

Lists that are read in pages (``pages.py``) say where they go on by a list with a place for each shard. It means nothing to who passes it
back, as the place of one shard does not.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Protocol

from ...common.contract.audit import AuditRow
from ...common.contract.observe import CauseRow, MasterRow
from ...common.contract.rows import all_from_wire, to_wire
from ...common.contract.workers import HeldTask, RanRow
from ...common.domain.limit_parts import is_in_every
from ...common.domain.series import SeriesPoint, beside, unpacked
from ...common.errors import InvalidArgument, TqError, UnknownObject, Unreachable
from .limit_rows import one_limit
from .merged_keys import key_added, key_set, keys
from .merged_needs import related
from .merged_queues import queue_set, queues
from .merged_rows import Row, one_of_each
from .merged_schedules import schedule_added
from .merged_workers import workers
from .pages import Shards, flow_pages, line_pages, named, schedule_pages, task_pages, task_portions

Merge = Callable[[Shards, Sequence[Any]], Coroutine[Any, Any, Any]]


class Together(Protocol):
    def __call__(self, answers: Sequence[Any], args: Sequence[Any]) -> Any: ...


def of_all(merge: Together) -> Merge:
    """A merge of what all shards answer to the same call."""

    async def merged(shards: Shards, args: Sequence[Any]) -> Any:
        answers = await shards.ask(dict.fromkeys(shards.numbers, args))
        return merge([answers[number] for number in sorted(answers)], args)

    return merged


# lists


def rows_by_name(answers: Sequence[list[Row]], args: Sequence[Any]) -> list[Row]:
    return sorted((row for rows in answers for row in rows), key=_name)


def named_rows(answers: Sequence[Row], args: Sequence[Any]) -> Row:
    return {
        **answers[0],
        "rows": rows_by_name([answer["rows"] for answer in answers], args),
        "left_out": sum(answer["left_out"] for answer in answers),
    }


def newest_tasks(answers: Sequence[list[Row]], args: Sequence[Any]) -> list[Row]:
    if len(args) > 2 and args[2] is not None:
        raise InvalidArgument(
            "a list of tasks over several shards has no `before`: read it with get_tasks.select, whose answer says where it goes on"
        )
    limit = args[1] if len(args) > 1 else 100
    rows = sorted((row for rows in answers for row in rows), key=lambda row: -row["created"])
    return rows[:limit]


async def meant(shards: Shards, args: Sequence[Any]) -> Row:
    """What a shortened id may mean. It means one only if no other shard has another."""
    found = await shards.ask(dict.fromkeys(shards.numbers, args))
    if silent := [str(shard) for shard in shards.numbers if shard not in found]:
        raise Unreachable(
            f"a shortened id may be one of shard {', '.join(silent)} of {len(shards.numbers)}, which does not answer: write all of the id"
        )
    answers = list(found.values())
    if any(answer["more"] and not answer["rows"] for answer in answers):
        return {"rows": [], "more": True}  # more begin so in one shard than it looks at
    rows = sorted((row for answer in answers for row in answer["rows"]), key=lambda row: row["id"])
    return {"rows": rows, "more": any(answer["more"] for answer in answers)}


def longest_held(answers: Sequence[list[list[Any]]], args: Sequence[Any]) -> list[list[Any]]:
    held = [one for rows in answers for one in all_from_wire(HeldTask, rows)]
    # What has begun first, then what waits there.
    return [to_wire(one) for one in sorted(held, key=lambda one: (not one.begun, one.since))]


def signatures(answers: Sequence[list[list[Any]]], args: Sequence[Any]) -> list[list[Any]]:
    """Every worker tells every shard: one says it as well as all, and the one that knows most workers best."""
    return [
        max(known, key=lambda rows: sum(count for _, count in rows)) for known in zip(*answers, strict=True)
    ]


def attempts(answers: Sequence[Row], args: Sequence[Any]) -> Row:
    ran = [one for answer in answers for one in all_from_wire(RanRow, answer["rows"])]
    rows = [to_wire(one) for one in sorted(ran, key=lambda one: -one.started)]
    return {**answers[0], "rows": rows, "is_whole": all(answer["is_whole"] for answer in answers)}


def masters(answers: Sequence[list[list[Any]]], args: Sequence[Any]) -> list[list[Any]]:
    """By address: a process that hosts several shards answers for each of them. One that is gone has none, and a name; and one that was
    killed is listed for a while beside that which has its address now, which said last that it is here."""
    found: dict[str, tuple[float, list[Any]]] = {}
    for row in (row for rows in answers for row in rows):
        one = MasterRow(*row)
        name = one.address or one.host
        if name not in found or one.silent < found[name][0]:
            found[name] = one.silent, row
    return [row for _, row in found.values()]


def causes(answers: Sequence[list[list[Any]]], args: Sequence[Any]) -> list[list[Any]]:
    found = [one for rows in answers for one in all_from_wire(CauseRow, rows)]
    found.sort(key=lambda one: -one.last)
    return [to_wire(one) for one in (found[: args[0]] if args else found)]


def audit(answers: Sequence[list[list[Any]]], args: Sequence[Any]) -> list[list[Any]]:
    """A change of every shard is in the log of each, and is shown once for each: it may have reached only some of them."""
    if len(args) > 1 and args[1] is not None:
        raise InvalidArgument("the audit log of several shards has no `before`: read it in each of them")
    found = [one for rows in answers for one in all_from_wire(AuditRow, rows)]
    found.sort(key=lambda one: -one.at)
    return [to_wire(one) for one in found[: args[0] if args else 100]]


# what is counted in each shard by itself


def _by_name(
    sums: Sequence[str], more: Callable[[Row, Row], Row] = lambda one, other: {}
) -> Callable[[Iterable[Row]], list[Row]]:
    """Rows of the same name as one, by name, with the sums of these fields."""

    def merge(one: Row, other: Row) -> Row:
        added = {name: one[name] + other[name] for name in sums if name in one and name in other}
        return {**one, **added, **more(one, other)}

    def together(rows: Iterable[Row]) -> list[Row]:
        return sorted(one_of_each(rows, "name", merge), key=_name)

    return together


def _name(row: Row) -> str:
    return row["name"] or ""


def _one_tenant(one: Row, other: Row) -> Row:
    differs = any(one.get(name) != other.get(name) for name in ("weight", "max_running", "shards_of"))
    return {"uneven": True} if differs else {}


_limits = _by_name(("keys", "running", "waiting"), one_limit)
_tenants = _by_name(("waiting", "running", "held", "stranded"), _one_tenant)


def _listed(rows_of: Callable[[Iterable[Row]], list[Row]]) -> Together:
    def merge(answers: Sequence[list[Row]], args: Sequence[Any]) -> list[Row]:
        """A shard whose page is full has more behind its last name: up to there all is known."""
        full = len(args) > 1 and [_name(rows[-1]) for rows in answers if rows and len(rows) >= args[1]]
        rows = rows_of(row for rows in answers for row in rows)
        return [row for row in rows if _name(row) <= min(full)] if full else rows

    return merge


def strikes_together(answers: Iterable[list[Row]]) -> list[Row]:
    """Those with the same condition are one, with the number that the first shard gives it."""
    return one_of_each(chain.from_iterable(answers), "condition", _one_strike)


def _one_strike(one: Row, other: Row) -> Row:
    return {
        **one,
        "lanes": one["lanes"] + other["lanes"],
        "waiting": one["waiting"] + other["waiting"],
        "comparing": one.get("comparing", False) or other.get("comparing", False),
    }


# the master itself


def info(answers: Sequence[Row], args: Sequence[Any]) -> Row:
    return {
        **answers[0],
        "tasks": sum(answer["tasks"] for answer in answers),
        "sessions": sum(answer["sessions"] for answer in answers),
        "damage": next((answer["damage"] for answer in answers if answer["damage"]), answers[0]["damage"]),
        "commit_seconds": _most(answers, "commit_seconds"),
    }


def snapshot(answers: Sequence[Row], args: Sequence[Any]) -> Row:
    return {
        **answers[0],
        "commit_seconds": _most(answers, "commit_seconds"),
        "rate": sum(answer["rate"] for answer in answers),
        "queues": queues([answer["queues"] for answer in answers], args),
        "workers": workers([answer["workers"] for answer in answers], args),
        "running": sorted((row for one in answers for row in one["running"]), key=lambda row: row["started"])[
            :SHOWN
        ],
        "failing": sorted((row for one in answers for row in one["failing"]), key=lambda row: -row["at"])[
            :SHOWN
        ],
    }


SHOWN: Final = 20  # as one master shows


def _most(answers: Sequence[Row], name: str) -> Any:
    return max((answer[name] for answer in answers if answer.get(name) is not None), default=None)


async def series(shards: Shards, args: Sequence[Any]) -> Row:
    """The points of a moment as one. A shard numbers its steps by its own clock, and here they are numbered by the moment."""
    answers = list((await shards.ask(dict.fromkeys(shards.numbers, args))).values())
    step = answers[0]["step"]
    points: dict[int, list[SeriesPoint]] = {}
    for _, at, body in (row for answer in answers for row in answer["rows"]):
        points.setdefault(round(at / step), []).append(unpacked(body))
    ends = [answer["rows"][-1][1] for answer in answers if answer["more"]]
    last = min((round(at / step) for at in ends), default=None)
    rows = [
        [slot, slot * step, beside(some).packed()]
        for slot, some in sorted(points.items())
        if last is None or slot <= last
    ]
    return {**answers[0], "rows": rows, "more": last is not None}


# changes in every shard


async def same(shards: Shards, args: Sequence[Any]) -> Any:
    """Each shard does the same; the answer of the first."""
    answers = await shards.ask(dict.fromkeys(shards.numbers, args))
    return answers[min(answers)]


async def first_done(shards: Shards, args: Sequence[Any]) -> Any:
    """It is done where there is something to do: a shard that does not know the name has nothing to change."""
    return (await done_where_known(shards, dict.fromkeys(shards.numbers, args)))[0]


async def done_where_known(
    shards: Shards, by_shard: Mapping[int, Sequence[Any]], *, changes: bool = True
) -> list[Any]:
    found = await shards.try_ask(by_shard)
    refused = {shard: one for shard, one in found.items() if isinstance(one, TqError)}
    done = {shard: found[shard] for shard in sorted(found.keys() - refused.keys())}
    for shard, error in refused.items():
        # That a shard is away, or a key may not, is no "there is none of that name".
        if not isinstance(error, InvalidArgument | UnknownObject) or not done:
            raise named(error, shard, done if changes else ())
    return list(done.values())


async def limit_set(shards: Shards, args: Sequence[Any]) -> Row:
    """A limit that is in every shard is set in each, also where no task has had it yet: what comes there later must not have more."""
    known, silent = await _limit_of(shards, args[0])
    row = next(iter(known.values()))
    if is_in_every(args[0], len(shards.numbers)):
        declared = (row["key"], {"name": args[0], **row["declared"]})
        by_shard = {shard: args if shard in known else (*args, declared) for shard in shards.numbers}
        done = (await shards.ask(by_shard)).values()
        return _limits(done)[0]
    return _limits(await done_where_known(shards, dict.fromkeys((*known, *silent), args)))[0]


async def limit_reset(shards: Shards, args: Sequence[Any]) -> Row:
    known, silent = await _limit_of(shards, args[0])
    return _limits(await done_where_known(shards, dict.fromkeys((*known, *silent), args)))[0]


async def limit_removed(shards: Shards, args: Sequence[Any]) -> None:
    """A shard in which it is used refuses, and keeps it as it is declared: one that was set is removed in none."""
    known, silent = await _limit_of(shards, args[0])
    await shards.ask(dict.fromkeys(known, args))
    if silent:
        await done_where_known(shards, dict.fromkeys(silent, args))


async def _limit_of(shards: Shards, name: Any) -> tuple[dict[int, Row], list[int]]:
    """What the shards have of a limit that know it, and those that do not answer now. Raises what they say if none knows it."""
    found = await shards.try_ask(dict.fromkeys(shards.numbers, (name, 0)), of="show")
    known = {shard: row for shard, row in found.items() if not isinstance(row, TqError)}
    silent = [shard for shard, row in found.items() if isinstance(row, Unreachable)]
    if not known:
        shard = next(iter(silent), 0)
        raise named(found[shard], shard)
    return known, silent


async def tenant_set(shards: Shards, args: Sequence[Any]) -> Row:
    """First where less may run then: else what one shard has already and what another one still has would come to more than the cap. Of two
    that change the same tenant the one with the lower number is refused: see ``master/tenants/tenants.py``."""
    first = min(shards.numbers)
    number, terms = (await shards.ask({first: args}, of="plan"))[first]
    await shards.ask(dict.fromkeys(shards.numbers, (args[0], terms, True, number)))
    done = await shards.ask(dict.fromkeys(shards.numbers, (args[0], terms, False, number)))
    return _tenants(done.values())[0]


async def limit_shown(shards: Shards, args: Sequence[Any]) -> Row:
    """Its keys are of the shards together: the same key counts in each by itself, and is a row of each."""
    found = await done_where_known(shards, dict.fromkeys(shards.numbers, args), changes=False)
    used = sorted((row for answer in found for row in answer["used"]), key=lambda row: -row.get("waiting", 0))
    return {**_limits(found)[0], "used": used[: args[1] if len(args) > 1 else 20]}


async def strike_added(shards: Shards, args: Sequence[Any]) -> Any:
    """In all of them or in none: one may have room for no more, or know no such condition."""
    await shards.ask(dict.fromkeys(shards.numbers, args[:1]), of="check")
    return await same(shards, args)


async def strike_checked(shards: Shards, args: Sequence[Any]) -> Row:
    """An argument by which tasks are found in one shard may have been in none that another one has."""
    found: dict[str, bool] = {}
    # A master of the version before answers nothing.
    for answer in filter(None, (await shards.ask(dict.fromkeys(shards.numbers, args))).values()):
        for name, is_found in answer.items():
            found[name] = found.get(name, False) or is_found
    return found


async def strike_removed(shards: Shards, args: Sequence[Any]) -> Any:
    """By its number: that is another one in each shard, so it is looked up what it stands for."""
    if args and isinstance(args[0], int):
        [number, *rest] = args
        listed = await shards.ask(dict.fromkeys(shards.numbers, ()), of="list")
        found = [row for row in strikes_together(listed.values()) if row["strike"] == number]
        if len(found) != 1:
            why = "several strikes have" if found else "there is no strike with"
            raise InvalidArgument(
                f"{why} the number {number}; name its condition, which `tq strike ls` shows"
            )
        args = [found[0]["condition"], *rest]
    return await first_done(shards, args)


MERGES: Final[Mapping[str, Merge]] = {
    "rows_by_name": of_all(rows_by_name),
    "named_rows": of_all(named_rows),
    "newest_tasks": of_all(newest_tasks),
    "related": related,
    "meant": meant,
    "workers": of_all(workers),
    "longest_held": of_all(longest_held),
    "signatures": of_all(signatures),
    "attempts": of_all(attempts),
    "causes": of_all(causes),
    "masters": of_all(masters),
    "audit": of_all(audit),
    "limits": of_all(_listed(_limits)),
    "tenants": of_all(_listed(_tenants)),
    "strikes": of_all(lambda answers, args: strikes_together(answers)),
    "info": of_all(info),
    "snapshot": of_all(snapshot),
    "series": series,
    "lines": line_pages,
    "selected": task_pages,
    "portions": task_portions,
    "flows": flow_pages,
    "schedules": schedule_pages,
    "same": same,
    "first_done": first_done,
    "queues": of_all(queues),
    "queue_set": queue_set,
    "limit_set": limit_set,
    "limit_reset": limit_reset,
    "limit_removed": limit_removed,
    "limit_shown": limit_shown,
    "tenant_set": tenant_set,
    "strike_checked": strike_checked,
    "strike_added": strike_added,
    "strike_removed": strike_removed,
    "keys": of_all(keys),
    "key_added": key_added,
    "key_set": key_set,
    "schedule_added": schedule_added,
}
