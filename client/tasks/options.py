"""Options of tasks as a program writes them: keyword arguments with times in several types, validated at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypedDict, runtime_checkable

from ...common.domain.callables import NamedCallable
from ...common.domain.coalesce import Coalesce
from ...common.domain.columns import NO_COLUMNS, FailureHandler, LaneColumns
from ...common.domain.durations import check_delay
from ...common.domain.lane_terms import NO_TERMS, TERMS, LaneTerms
from ...common.domain.limits import Limit
from ...common.domain.model import ResultPolicy, TaskOptions, check_name
from ...common.domain.on_error import AtLeast
from ...common.domain.on_full import WAIT, check_on_full
from ...common.domain.tags import check_index
from ...common.domain.unique import Unique, cached
from ...common.errors import InvalidArgument
from ...common.values.brief import brief

if TYPE_CHECKING:
    from ...common.domain.hooks import Hooks
    from ...common.domain.schedule import DeclaredSchedule
    from .open_flow import OpenFlow


@runtime_checkable
class CanHandle(Protocol):
    """A task that can be made of another one that ended without success."""

    def failure_handler(self) -> FailureHandler:
        """What travels of it."""


class Options(TypedDict, total=False):
    """How and where a task runs; see TaskOptions for the units and limits."""

    queue: str
    priority: int
    delay: float | timedelta
    at: datetime | float
    retries: int
    backoff: float | timedelta
    backoff_max: float | timedelta
    timeout: float | timedelta | None
    expires: float | timedelta | None
    deadline: float | timedelta | datetime | None
    delivery: str
    max_crashes: int
    result: str
    result_ttl: float | timedelta | None
    on_error: str | AtLeast
    tags: Mapping[str, str]
    on_full: str
    limits: Sequence[Limit]
    tenant: str | None
    unique: Unique | None
    cache: float | timedelta | bool | None
    cache_by: str | None
    on_failure: CanHandle | None
    coalesce: Coalesce | None
    needs: Mapping[str, float | str]
    where: str
    index: Sequence[str]


class Choice(NamedTuple):
    """Where and how, decided. ``wire``: the options as they travel. ``flow``: that the tasks become part of. ``columns``: what the
    terms come to; None: that depends on the arguments of each task, see lane_keys.py."""

    queue: str
    options: TaskOptions
    wire: dict[str, Any]
    flow: OpenFlow | None = None
    on_full: str = WAIT
    terms: LaneTerms = NO_TERMS
    columns: LaneColumns | None = NO_COLUMNS
    unique: Unique | None = None
    is_cached: bool = False  # ``unique`` was given as ``cache``
    indexed: tuple[str, ...] = ()  # parameters of which each task gets a tag, see indexed.py

    def offered(
        self,
        name: str,
        function: Callable[..., Any],
        schedules: tuple[DeclaredSchedule, ...],
        hooks: Hooks | None,
    ) -> NamedCallable:
        """What a worker serves of a function, and others find who have only that."""
        return NamedCallable(
            name=name,
            function=function,
            queue=self.queue,
            options=self.options,
            schedules=schedules,
            hooks=hooks,
            terms=self.terms,
            unique=self.unique,
            is_cached=self.is_cached,
            on_full=self.on_full,
            indexed=self.indexed,
        )

    @classmethod
    def of(cls, offer: NamedCallable) -> Choice:
        """As a task was decorated."""
        return cls(
            offer.queue,
            offer.options,
            offer.options.to_wire(),
            on_full=offer.on_full,
            terms=offer.terms,
            unique=offer.unique,
            is_cached=offer.is_cached,
            indexed=offer.indexed,
        )


_BESIDE: Final = frozenset(
    {"queue", "on_full", "unique", "cache", "cache_by", "index"}
)  # options of a submit, which are not kept with its tasks
_NAMES: Final = frozenset(field.name for field in fields(TaskOptions))
_ALL_NAMES: Final = _NAMES | _BESIDE | TERMS


def choose(given: Mapping[str, Any], base: Choice | None = None) -> Choice:
    """A choice from options over those of ``base``; raises InvalidArgument naming the bad one."""
    unknown = given.keys() - _ALL_NAMES
    if unknown:
        known = ", ".join(sorted(_ALL_NAMES))
        raise InvalidArgument(f"unknown option {min(unknown)!r}; one of: {known}")
    values = {name: _plain(name, value) for name, value in given.items() if name in _NAMES}
    if "at" in values and "delay" not in values:
        values["delay"] = 0.0  # the nearer word counts: using(at=…) replaces a delay given before
    elif values.get("delay") and "at" not in values:
        values["at"] = None
    options = replace(base.options if base else TaskOptions(), **values)
    queue = given.get("queue", base.queue if base else "default")
    on_full = check_on_full(given.get("on_full", base.on_full if base else WAIT))
    unique, is_cached = _unique(given, base)
    # Of both together: either may come from the task, and the other from using().
    if is_cached:
        _check_kept(options)
    terms = (base.terms if base else NO_TERMS).using(_handled(given))
    columns = terms.fixed() if terms.are_fixed else None
    checked = check_name("queue", queue), options, options.to_wire()
    indexed = check_index(given["index"]) if "index" in given else base.indexed if base else ()
    return Choice(
        *checked,
        on_full=on_full,
        terms=terms,
        columns=columns,
        unique=unique,
        is_cached=is_cached,
        indexed=indexed,
    )


def _unique(given: Mapping[str, Any], base: Choice | None) -> tuple[Unique | None, bool]:
    """By what tasks are the same, and whether that was given as ``cache``."""
    unique = given.get("unique", base.unique if base and not base.is_cached else None)
    if not isinstance(unique, Unique | None):
        raise InvalidArgument(
            f"unique={unique!r:.80} is not a tq.Unique; write unique=tq.Unique(by='{{order}}')"
        )
    # using(cache_by=…) alone keeps the time that the task was declared with.
    before = base.unique if base and base.is_cached else None
    seconds, by = given.get("cache"), given.get("cache_by", before.by if before else None)
    if "cache" not in given:
        if before is None and given.get("cache_by") is not None:
            raise InvalidArgument(
                f"cache_by={by!r:.80} goes with cache=; write cache=3600, cache_by={by!r:.80}"
            )
        if before is not None:
            seconds = True if before.fresh is None else before.fresh
    if seconds is None or seconds is False:
        return unique, False
    if unique is not None:
        raise InvalidArgument(
            "cache= is a unique= of its own, and a task has one of them; leave one out, or write unique=None, cache=3600"
        )
    return cached(seconds, by), True


def _check_kept(options: TaskOptions) -> None:
    if options.result != ResultPolicy.ALL:
        raise InvalidArgument(
            f"cache= returns results, and result={str(options.result)!r} keeps none; leave one of them out"
        )


def _handled(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what travels of the task in ``on_failure``."""
    task = given.get("on_failure")
    if task is None:
        return given
    if not isinstance(task, CanHandle):
        raise InvalidArgument(
            f"on_failure={brief(task, 80)} is not a task: a worker runs it; give what @app.task has made, on_failure=complain"
        )
    return {**given, "on_failure": task.failure_handler()}


def _plain(name: str, value: Any) -> Any:
    """Seconds from a timedelta, Unix time from a datetime."""
    if name == "delay":
        return check_delay(name, value)
    # A number alone could mean at least or at most so many: it has to be said.
    if name == "on_error" and isinstance(value, int):
        if not isinstance(value, AtLeast):
            raise InvalidArgument(
                f"on_error={value!r} is a bare number; write on_error=tq.at_least({value!r})"
            )
        return int(value)
    if name == "needs":
        from ...common.domain.placing import read_needs  # a program that uses none loads nothing of it

        return read_needs(value)
    if isinstance(value, timedelta) and name != "at":
        return value.total_seconds()
    if isinstance(value, datetime) and name in ("at", "deadline"):
        if value.tzinfo is None:
            raise InvalidArgument(
                f"{name}={value!r} has no time zone, and the master may live in another; "
                f"write {name}=moment.astimezone() for local time"
            )
        return value.timestamp()
    return value
