"""What a submit says of tasks that are the same by a key: the key of each, and which other tasks were there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ...common.domain.expressions import check_key
from ...common.domain.text_columns import TextColumn
from ...common.domain.unique import UniqueTerms
from ...common.errors import InvalidArgument
from .submitted import NewRun

UNIQUE_TASKS_MAX: Final = 1_000  # of one call: each is looked up by itself, in some 30 µs


@dataclass(slots=True)
class UniqueCall:
    """``keys``: by the id of each task, with its place in the call. ``others``: by place, the task that is there instead."""

    terms: UniqueTerms
    keys: dict[bytes, tuple[int, str]]
    is_many: bool  # else its answer is about one task
    others: dict[int, bytes] = field(default_factory=dict)

    def answer(self, stored: int) -> Any:
        """``stored``: how many tasks are."""
        return [list(one) for one in sorted(self.others.items())] if self.is_many else stored


def unique_call(terms: UniqueTerms, runs: Sequence[NewRun]) -> UniqueCall:
    """Raises InvalidArgument."""
    ids = [id for new in runs for id in new.run.ids()]
    if isinstance(terms.key, str) and len(ids) == 1:
        return UniqueCall(terms, {ids[0]: (0, check_key("unique", terms.key))}, is_many=False)
    if isinstance(terms.key, str) or len(ids) > UNIQUE_TASKS_MAX:
        raise InvalidArgument(
            f"unique of several tasks has a column of their keys, and a call has at most {UNIQUE_TASKS_MAX:,} such tasks, not {len(ids):,}"
        )
    column = TextColumn.from_wire("unique", terms.key, len(ids))
    keys = {id: (place, column.at(place)) for place, id in enumerate(ids)}
    if len(keys) < len(ids):
        raise InvalidArgument("an id is twice in one call with unique")
    return UniqueCall(terms, keys, is_many=True)
