"""A filter of tasks as it comes from the wire: what is judged before anything is looked at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...common.domain.id_text import TASKS_MAX
from ...common.domain.model import TASK_ID_BYTES, StateNumber
from ...common.domain.tags import TAGS_MAX, check_tag_name
from ...common.errors import InvalidArgument
from ...common.values.brief import brief

PATTERNS_MAX: Final = 100
PATTERN_CHARS_MAX: Final = 255  # as long as a name
TEXT_CHARS_MAX: Final = 1_000
UNIX_SECONDS_MAX: Final = 1e11


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """A filter of tasks; an empty field matches all."""

    states: frozenset[int] = frozenset()
    queues: tuple[str, ...] = ()  # glob patterns, one of which must match; so are the next two
    names: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()  # the type of the failure
    text: str = ""  # part of the failure's type or message, ignoring case
    since: int | None = None  # submitted at or after, steady ms
    until: int | None = None
    ids: tuple[int, int] | None = None  # the first one, and the one behind the last, as numbers
    flow: bytes | None = None  # the id of their flow
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name, patterns of the text
    tenants: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # of the worker that has it, or had it last
    workers: tuple[str, ...] = ()  # the same of its node, in hexadecimal digits

    @classmethod
    def from_wire(cls, given: Any, shift: int = 0) -> Selection:
        """A filter from the wire, with moments of the wall clock; raises InvalidArgument."""
        # A misspelled field is refused: ignored, `cancel` would take all tasks for those that were meant.
        if not isinstance(given, dict) or not given.keys() <= FIELDS:
            raise InvalidArgument(f"a filter is a map of {', '.join(sorted(FIELDS))}")
        states = given.get("states") or []
        if not isinstance(states, list) or not set(map(type, states)) <= {int, StateNumber}:
            raise InvalidArgument("a filter's states are a list of numbers")
        text = given.get("text") or ""
        if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
            raise InvalidArgument(f"a filter's text has at most {TEXT_CHARS_MAX:,} characters")
        return cls(
            states=frozenset(states),
            queues=_patterns("queues", given.get("queues")),
            names=_patterns("names", given.get("names")),
            errors=_patterns("errors", given.get("errors")),
            text=text.casefold(),
            since=_moment("since", given.get("since"), shift),
            until=_moment("until", given.get("until"), shift),
            ids=_ids(given.get("ids")),
            flow=_flow(given.get("flow")),
            tags=_tags(given.get("tags")),
            **{name: _patterns(name, given.get(name)) for name in ("tenants", "hosts", "workers")},
        )

    def fits_time(self, created: int) -> bool:
        return (self.since is None or created >= self.since) and (self.until is None or created <= self.until)

    def fits_state(self, shown: int) -> bool:
        return not self.states or shown in self.states

    @property
    def asks_for_failure(self) -> bool:
        return bool(self.errors or self.text)

    @property
    def asks_for_worker(self) -> bool:
        return bool(self.hosts or self.workers)


FIELDS: Final = frozenset(Selection.__dataclass_fields__)


def _patterns(name: str, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if (
        isinstance(given, list)
        and len(given) <= PATTERNS_MAX
        and all(isinstance(one, str) and len(one) <= PATTERN_CHARS_MAX for one in given)
    ):
        return tuple(given)
    raise InvalidArgument(
        f"a filter's {name} are at most {PATTERNS_MAX} patterns, each a text of at most {PATTERN_CHARS_MAX} characters"
    )


def _ids(given: Any) -> tuple[int, int] | None:
    """``[the first id, how many consecutive ones]``."""
    if given is None:
        return None
    match given:
        case [bytes() as first, int() as tasks] if (
            len(first) == TASK_ID_BYTES and type(tasks) is int and 0 < tasks <= TASKS_MAX
        ):
            number = int.from_bytes(first, "big")
            return number, number + tasks
    raise InvalidArgument(
        f"a filter's ids are [the first one, how many consecutive ones], not {brief(given)}"
    )


def _flow(given: Any) -> bytes | None:
    if given is None or (type(given) is bytes and len(given) == TASK_ID_BYTES):
        return given
    raise InvalidArgument(f"a filter's flow is an id of {TASK_ID_BYTES} bytes, not {brief(given)}")


def _tags(given: Any) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > TAGS_MAX:
        raise InvalidArgument(
            f"a filter's tags are a map of at most {TAGS_MAX} names, each with a list of patterns"
        )
    return {check_tag_name(name): _patterns(f"tag {name}", one) for name, one in given.items()}


def _moment(name: str, given: Any, shift: int) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) <= UNIX_SECONDS_MAX:
        raise InvalidArgument(f"a filter's {name} is a moment in Unix seconds, not {brief(given)}")
    return int(given * 1000) - shift
