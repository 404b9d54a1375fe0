"""What a submit says of its tasks beside their payloads: the keys of their limits, their tenants, and indexed arguments. Pure.

The master opens no payload, so the client computes what it has to know and sends it as *columns*: one text for all tasks of a
call, or the different texts once and a number for each task, which costs a byte or two a task.

    {"limits": [[{"name": "smtp", "max_running": 3}, [["a.example", "b.example"], [0, 1, 0]]]], "tenant": "acme"}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .argument_index import IndexColumns
from .coalesce import Coalesce, coalesce_from_wire
from .limits import LIMITS_OF_TASK_MAX, Limit, limit_from_wire
from .model import TaskOptions, check_name
from .text_columns import TextColumn, numbered

NO_KEY: Final = ""  # of a limit that all tasks have together


class LaneTexts(NamedTuple):
    """What tasks have in common that stand in one lane. ``limits``: name, key, and the units that each of the tasks counts for."""

    tenant: str | None
    limits: tuple[tuple[str, str, int], ...]


class FailureHandler(NamedTuple):
    """The task that the master makes when one with ``on_failure`` has ended without success. It has no handler itself."""

    queue: str
    task: str
    options: TaskOptions
    columns: LaneColumns

    def to_wire(self) -> list[Any]:
        return [self.queue, self.task, self.options.to_wire(), self.columns.to_wire()]

    @classmethod
    def from_wire(cls, given: Any) -> FailureHandler:
        """Raises InvalidArgument."""
        match given:
            # A handler of a handler could go on without end.
            case [queue, task, dict() as options, dict() as columns] if columns.keys().isdisjoint(_OF_OTHERS):
                names = check_name("queue", queue), check_name("task", task)
                return cls(*names, TaskOptions.from_wire(options), LaneColumns.from_wire(columns, 1))
        raise InvalidArgument(
            f"on_failure is [queue, task, options, columns], and its columns have no on_failure and no index, not {brief(given, 80)}"
        )


class LaneColumns(NamedTuple):
    """The limits of the tasks of one submit, with their keys, their tenants, what is made of each that ends without success, how
    many of them run as one, and arguments that differ from task to task and are indexed.
    ``tenant`` None: they have none."""

    limits: tuple[tuple[Limit, TextColumn], ...] = ()
    tenant: TextColumn | None = None
    on_failure: FailureHandler | None = None
    coalesce: Coalesce | None = None
    indexed: IndexColumns | None = None

    def to_wire(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if self.limits:
            said["limits"] = [
                [limit.to_wire(), column.to_wire(), *([limit.units] if limit.units != 1 else [])]
                for limit, column in self.limits
            ]
        if self.tenant is not None:
            said["tenant"] = self.tenant.to_wire()
        if self.on_failure is not None:
            said["on_failure"] = self.on_failure.to_wire()
        if self.coalesce is not None:
            said["coalesce"] = self.coalesce.to_wire()
        if self.indexed is not None:
            said["index"] = self.indexed.to_wire()
        return said

    @classmethod
    def from_wire(cls, given: Any, tasks: int) -> LaneColumns:
        """Of a submit with so many tasks. Raises InvalidArgument."""
        if given is None:
            return NO_COLUMNS
        if type(given) is not dict or given.keys() - _NAMES:
            raise InvalidArgument(
                f"columns are a map that may have {', '.join(sorted(_NAMES))}, not {brief(given, 80)}"
            )
        limits, tenant, handler = given.get("limits", []), given.get("tenant"), given.get("on_failure")
        if type(limits) is not list or len(limits) > LIMITS_OF_TASK_MAX:
            raise InvalidArgument(f"limits are a list of at most {LIMITS_OF_TASK_MAX} [limit, column]")
        named: dict[str, tuple[Limit, TextColumn]] = {}
        for one in limits:
            if type(one) is not list or not 2 <= len(one) <= 3:
                raise InvalidArgument(
                    f"a limit of a submit is [limit, column] or [limit, column, units], not {brief(one, 80)}"
                )
            limit = limit_from_wire(one[0], *one[2:])
            if limit.name in named:
                raise InvalidArgument(f"limits has {limit.name!r} twice")
            named[limit.name] = (limit, TextColumn.from_wire(f"limit {limit.name!r}", one[1], tasks))
        return cls(
            tuple(named.values()),
            None if tenant is None else TextColumn.from_wire("tenant", tenant, tasks),
            None if handler is None else FailureHandler.from_wire(handler),
            coalesce_from_wire(given["coalesce"]) if "coalesce" in given else None,
            IndexColumns.from_wire(given["index"], tasks) if "index" in given else None,
        )

    def of_tenant(self, tenant: str) -> LaneColumns:
        """Of the tenant that the key of their submitter fixes; empty: it fixes none."""
        return self._replace(tenant=TextColumn((tenant,))) if tenant else self

    def of_some(self, places: Sequence[int]) -> LaneColumns:
        """Of the tasks in these places."""
        return self._replace(
            limits=tuple((limit, column.of_some(places)) for limit, column in self.limits),
            tenant=None if self.tenant is None else self.tenant.of_some(places),
            indexed=None if self.indexed is None else self.indexed.of_some(places),
        )

    def lanes(self) -> tuple[list[LaneTexts], bytes | tuple[int, ...] | None]:
        """The different lanes, and for each task which of them; None: all stand in the only one."""
        columns = [column for _, column in self.limits]
        columns += [] if self.tenant is None else [self.tenant]
        coded = [column.codes for column in columns if column.codes is not None]
        if not coded:
            return [self.at(0)], None
        if len(coded) == 1:
            [codes] = coded
            used = sorted(set(codes))
            if len(used) == 1:
                return [self.at(0)], None
            lanes = [self._of_codes(iter((code,))) for code in used]
            # Mostly all texts are used: the codes are those of the lanes.
            if used[-1] == len(used) - 1:
                return lanes, codes
            places = {code: place for place, code in enumerate(used)}
            return lanes, tuple(map(places.__getitem__, codes))
        # A task's codes are what it says: those that say the same stand in one lane.
        said = list(zip(*coded, strict=True))
        numbers = numbered(said)
        if len(numbers) == 1:
            return [self.at(0)], None
        return [self._of_codes(iter(one)) for one in numbers], tuple(map(numbers.__getitem__, said))

    def at(self, task: int) -> LaneTexts:
        """Of one task."""
        return LaneTexts(
            None if self.tenant is None else self.tenant.at(task),
            tuple((limit.name, column.at(task), limit.units) for limit, column in self.limits),
        )

    def _of_codes(self, codes: Iterator[int]) -> LaneTexts:
        """Of tasks with these codes in those columns that have some, in their order."""
        limits = tuple(
            (limit.name, column.texts[0 if column.codes is None else next(codes)], limit.units)
            for limit, column in self.limits
        )
        of = self.tenant
        return LaneTexts(None if of is None else of.texts[0 if of.codes is None else next(codes)], limits)


NO_COLUMNS: Final = LaneColumns()
_OF_OTHERS: Final = ("on_failure", "index")  # what the columns of a task that the master makes do not have
_NAMES: Final = frozenset({"limits", "tenant", "on_failure", "coalesce", "index"})
