"""The announcement of a worker, and the limits of its fields. Pure.

It is shown to people in lists of all workers, and kept as long as the worker is listed. So every text has a maximum
length, and all texts together are charged to the worker's key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ...common.contract.rows import from_wire
from ...common.contract.workers import PoolSlots
from ...common.domain.amounts import check_amount
from ...common.domain.placing import RESOURCES_MAX
from ...common.domain.where import NAME_CHARS_MAX
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..api.validation import validate_list

TASKS_MAX: Final = 10_000
TASK_CHARS_MAX: Final = 1_000
PATTERNS_MAX: Final = 100  # of callables and queues together: each is compared with every route
PATTERN_CHARS_MAX: Final = 255
LABELS_MAX: Final = 64
LABEL_CHARS_MAX: Final = 255  # of the name, and of the value
HOST_CHARS_MAX: Final = 255  # the longest name in the DNS
VERSION_CHARS_MAX: Final = 64
SLOTS_MAX: Final = 65_536
MEMORY_BYTES_MAX: Final = 2**53
LENT_MAX: Final = 1_000 * SLOTS_MAX
PID_MAX: Final = 2**63 - 1  # the largest integer that the store can keep
POOLS_MAX: Final = 16
POOL_CHARS_MAX: Final = 64  # process:65536-65536
TEXT_BYTES: Final = 64  # of memory for a text, besides its characters


@dataclass(kw_only=True, slots=True)
class WorkerInfo:
    host: str
    pid: int
    slots: int
    labels: dict[str, str]
    tasks: list[str]
    queues: list[str] | None
    version: str
    allow: list[str] = field(default_factory=list)
    lent: int = 0  # children besides the slots, for what waiting tasks wait for
    apply: list[Any] = field(default_factory=list)  # consumers;  see consumers.Consumer
    pools: list[Any] = field(
        default_factory=list
    )  # of several: [tasks, allow, queues, queues of other pools]
    resources: dict[str, int] = field(default_factory=dict)  # in thousandths

    @classmethod
    def from_wire(cls, info: Any) -> WorkerInfo:
        try:
            given = cls(**info)
        except TypeError as error:
            raise InvalidArgument(f"announce: {error!s:.200}") from None
        if not given._is_well_formed():
            raise InvalidArgument(
                f"announce: host, version, tasks, allow, queues, labels and names of resources are text, slots 1 to {SLOTS_MAX}, pid a number"
            )
        given._check_lengths()
        given._check_pools()
        return given

    @property
    def version_of_code(self) -> str:
        """What it says of its code with ``--label version=…``, else its version of tq."""
        return self.labels.get("version", self.version)

    @property
    def size_bytes(self) -> int:
        """The memory it takes, about."""
        texts = [self.host, self.version, *self.tasks, *self.allow, *(self.queues or [])]
        texts += [*self.labels, *self.labels.values(), *self.resources]
        consumers = sum(len(one) for consumer in self.apply for one in consumer if one is not None)
        texts += [text for pool in self.pools for some in pool for text in some]
        return sum(map(len, texts)) + TEXT_BYTES * len(texts) + consumers + 4 * TEXT_BYTES * len(self.apply)

    def _is_well_formed(self) -> bool:
        match self:
            case WorkerInfo(
                host=str(),
                version=str(),
                pid=int(pid),
                slots=int(slots),
                lent=int(lent),
                labels=dict(labels),
                tasks=list(tasks),
                allow=list(allow),
                queues=list() | None as queues,
                resources=dict(resources),
            ):
                texts = [*tasks, *allow, *(queues or []), *labels, *labels.values(), *resources]
                return (
                    all(isinstance(text, str) for text in texts)
                    and 1 <= slots <= SLOTS_MAX
                    and 0 <= lent <= LENT_MAX
                    and 0 <= pid <= PID_MAX
                )
        return False

    def _check_pools(self) -> None:
        """Each has only what the worker has."""
        _at_most("pools", len(validate_list("pools", self.pools)), POOLS_MAX)
        tasks = set(self.tasks)
        for pool in self.pools:
            match pool:
                case [list(names), list(allow), list(queues), list(but)]:
                    texts = [*names, *allow, *queues, *but]
                    if not all(isinstance(text, str) for text in texts):
                        raise InvalidArgument("announce: what a pool serves is text")
                    if not (tasks.issuperset(names) and len(names) == len(set(names))):
                        raise InvalidArgument("announce: a pool has tasks that its worker does not have")
                    _at_most("patterns of a pool", len(allow) + len(queues) + len(but), PATTERNS_MAX)
                    if unknown := {*allow} - {*self.allow} | (
                        {*queues} - {*self.queues} if self.queues else set()
                    ):
                        raise InvalidArgument(
                            f"announce: a pool has patterns that its worker does not have: {brief(min(unknown), 80)}"
                        )
                    if max(map(len, but), default=0) > PATTERN_CHARS_MAX:
                        raise InvalidArgument(
                            f"announce: a pattern of a pool; at most {PATTERN_CHARS_MAX} characters"
                        )
                case _:
                    raise InvalidArgument("announce: a pool is [tasks, allow, queues, queues of other pools]")

    def _check_lengths(self) -> None:
        patterns = [*self.allow, *(self.queues or [])]
        _at_most("tasks", len(self.tasks), TASKS_MAX)
        _at_most("patterns of --allow and --queue", len(patterns), PATTERNS_MAX)
        _at_most("labels", len(self.labels), LABELS_MAX)
        _at_most("resources", len(self.resources), RESOURCES_MAX)
        for name, amount in self.resources.items():
            check_amount(f"announce: resource {brief(name)}", amount)
        for what, texts, most in (
            ("the host", [self.host], HOST_CHARS_MAX),
            ("the version", [self.version], VERSION_CHARS_MAX),
            ("a task's name", self.tasks, TASK_CHARS_MAX),
            ("a pattern", patterns, PATTERN_CHARS_MAX),
            ("a label", [*self.labels, *self.labels.values()], LABEL_CHARS_MAX),
            ("a resource's name", list(self.resources), NAME_CHARS_MAX),
        ):
            longest = max(map(len, texts), default=0)
            if longest > most:
                raise InvalidArgument(f"announce: {what} of {longest:,} characters; at most {most:,}")


class BeatFacts(NamedTuple):
    """What a heartbeat says besides what runs. ``slots``: how many tasks run at a time from now on; 0: as before. ``pools``: none of an
    older worker. ``coroutines``: which of its tasks are coroutine functions; None: those that it said before."""

    memory_bytes: int | None
    slots: int
    draining: bool
    pools: tuple[PoolSlots, ...]
    coroutines: frozenset[str] | None

    @classmethod
    def of(cls, facts: Any) -> BeatFacts:
        if not isinstance(facts, dict):
            raise InvalidArgument(f"beat: facts are a map, not {brief(facts)}")
        memory, slots = facts.get("memory_bytes"), facts.get("slots", 0)
        if memory is not None and (type(memory) is not int or not 0 <= memory <= MEMORY_BYTES_MAX):
            raise InvalidArgument(f"beat: memory_bytes is a number of bytes, not {brief(memory)}")
        if type(slots) is not int or not ("slots" not in facts or 1 <= slots <= SLOTS_MAX):
            raise InvalidArgument(f"beat: slots is a number from 1 to {SLOTS_MAX:,}, not {brief(slots)}")
        pools, coroutines = _pools(facts.get("pools", [])), _coroutines(facts.get("coroutines"))
        return cls(memory, slots, facts.get("draining") is True, pools, coroutines)


def _pools(rows: Any) -> tuple[PoolSlots, ...]:
    match rows:
        case list() if len(rows) <= POOLS_MAX:
            for row in rows:
                match row:
                    case [str(pool), int(slots)] if len(pool) <= POOL_CHARS_MAX and 0 <= slots <= SLOTS_MAX:
                        continue
                raise InvalidArgument(f"beat: a pool is its kind and size, and a number, not {brief(row)}")
            return tuple(from_wire(PoolSlots, row) for row in rows)
    raise InvalidArgument(f"beat: pools are a list of at most {POOLS_MAX}, not {brief(rows)}")


def _coroutines(names: Any) -> frozenset[str] | None:
    if names is None:
        return None
    if isinstance(names, list) and len(names) <= TASKS_MAX and all(isinstance(name, str) for name in names):
        return frozenset(names)
    raise InvalidArgument(f"beat: coroutines are a list of at most {TASKS_MAX:,} names, not {brief(names)}")


def _at_most(what: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidArgument(f"announce: {count:,} {what}; at most {most:,}")
