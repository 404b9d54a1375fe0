"""Lists that are read in pages, over several shards: each row once, in one order, and a place for each shard where the next page begins.

::

    shard 0   9 7 4 │ 2 …          page: 9 8 7 6 │ places: shard 0 behind 7, shard 1 behind 6
    shard 1   8 6 │ 5 …

A row is given out when every shard has shown one that comes behind it, or has no more. What a shard has sent and is not given out is
read again by the next page: so places are those of the shards, and nothing is kept between two pages.

A place is None where a shard has no more, else a list of the one that it said, which is None at the beginning.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from ...common.contract.tasks import join_line
from ...common.domain.ids import show_id
from ...common.errors import InvalidArgument, TqError, Unreachable
from ...common.values.brief import brief
from .merged_rows import Row

Places = list[list[Any] | None]

LOOKS_MAX: Final = 20  # at a shard for one page: of as many rows as a person waits for
ID_DIGITS: Final = 16  # tell ids of two shards apart: the time and the shard


class Shards(Protocol):
    """The shards to which a call is made. ``ask``: raises what one of them has refused; one that is away is left out of what only
    reads. ``ask_one``: what one shard answers, None if it is away; it raises when all of them are. ``try_ask``: has errors as answers,
    and leaves none out. ``of``: another method of the same object."""

    method: str

    @property
    def numbers(self) -> range: ...

    def of_name(self, name: str) -> int: ...

    async def ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]: ...
    async def ask_one(self, shard: int, args: Sequence[Any]) -> Any | None: ...
    async def try_ask(
        self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None
    ) -> dict[int, Any]: ...


def named(error: TqError, shard: int, done: Iterable[int] = ()) -> TqError:
    """With the shard that is away, and those where a change is done."""
    if not isinstance(error, Unreachable):
        return error
    where = ", ".join(map(str, sorted(done)))
    return Unreachable(f"shard {shard}: {error}{f'; it is done in shard {where}' if where else ''}")


class ShardPage(NamedTuple):
    """What a shard answers. ``behind``: the place behind it; None: there is no more."""

    rows: list[Row]
    behind: Any
    states: Sequence[Sequence[int]] = ()
    newest: int | None = None


Fetch = Callable[[int, Any, int], Awaitable[ShardPage]]  # of a shard, from a place, so many rows


def places_of(given: Any, shards: Shards) -> Places:
    """Where each shard goes on. Raises InvalidArgument for what no answer here has said."""
    if given is None:
        return [[None] for _ in shards.numbers]
    if (
        isinstance(given, list)
        and len(given) == len(shards.numbers)
        and all(one is None or (isinstance(one, list) and len(one) == 1) for one in given)
    ):
        return list(given)
    raise InvalidArgument(
        f"{brief(given, 60)} is not a position in a list of {len(shards.numbers)} shards; start from its beginning"
    )


def places_to(places: Places) -> Places | None:
    """As an answer says them; None: no shard has more."""
    return places if any(places) else None


class _PageSource:
    """The pages of one shard, while they are given out."""

    def __init__(self, number: int, fetch: Fetch, place: list[Any] | None) -> None:
        self._number, self._fetch = number, fetch
        self._start = None if place is None else place[0]  # of the page at hand
        self.is_over = place is None  # there is nothing behind the page at hand
        self._page, self._given = ShardPage([], self._start), 0
        self._looks = 0
        self.states = Counter[int]()  # of all pages that were given out
        self.newest: int | None = None

    @property
    def head(self) -> Row | None:
        return self._page.rows[self._given] if self._given < len(self._page.rows) else None

    @property
    def needs_more(self) -> bool:
        """Nothing is at hand, and there may be more behind it."""
        return self.head is None and not self.is_over and self._looks < LOOKS_MAX

    @property
    def is_open(self) -> bool:
        return self.head is None and not self.is_over

    async def read(self, rows: int) -> None:
        self._count(self._page.states)
        if self._looks:
            self._start = self._page.behind
        self._page, self._given = await self._fetch(self._number, self._start, rows), 0
        self._looks += 1
        self.is_over = self._page.behind is None
        # Of the first page: what is made later is not of this list.
        self.newest = self._page.newest if self.newest is None else self.newest

    def take(self) -> Row:
        self._given += 1
        return self._page.rows[self._given - 1]

    async def place(self) -> list[Any] | None:
        """Where the next page begins. Rows that were not given out are read again then."""
        if self.head is None:
            self._count(self._page.states)
            return None if self.is_over else [self._page.behind if self._looks else self._start]
        if not self._given:
            return [self._start]
        # The place behind a row is what the shard says when it is asked for no more than up to there.
        page = await self._fetch(self._number, self._start, self._given)
        self._count(page.states)
        return None if page.behind is None else [page.behind]

    def _count(self, states: Sequence[Sequence[int]]) -> None:
        for state, tasks in states:
            self.states[state] += tasks


class Merged(NamedTuple):
    rows: list[Row]
    places: Places
    states: Counter[int]
    newest: Places


async def merged(
    shards: Shards, fetch: Fetch, places: Places, limit: int, order: Callable[[Row], Any]
) -> Merged:
    """The next page: at most ``limit`` rows, those first whose ``order`` is least."""
    sources = [
        _PageSource(number, fetch, place) for number, place in zip(shards.numbers, places, strict=True)
    ]
    rows: list[Row] = []
    while len(rows) < limit:
        lacking = [one for one in sources if one.needs_more]
        if lacking:
            # Of each as many as are missing: all of them may be its own.
            await asyncio.gather(*(one.read(limit - len(rows)) for one in lacking))
            continue
        # What one of them has may come before all that is at hand.
        if any(one.is_open for one in sources):
            break
        heads = [(order(head), at) for at, one in enumerate(sources) if (head := one.head) is not None]
        if not heads:
            break
        rows.append(sources[min(heads)[1]].take())
    return Merged(
        rows,
        list(await asyncio.gather(*(one.place() for one in sources))),
        sum((one.states for one in sources), Counter[int]()),
        [None if one.newest is None else [one.newest] for one in sources],
    )


def _filled(args: Sequence[Any], *defaults: Any) -> tuple[Any, ...]:
    """All arguments, with what those say that were left out."""
    return (*args, *defaults[len(args) :])


# the lists


def _newest_first(row: Row) -> tuple[float, bytes]:
    return -row["created"], row["id"]


async def line_pages(shards: Shards, args: Sequence[Any]) -> Row:
    """``lines(filter, limit, before, short, flows)``. Each line is counted to its end, so that no page begins within one."""
    filter, limit, before, *more = _filled(args, None, 100, None)

    async def fetch(shard: int, start: Any, most: int) -> ShardPage:
        rows: list[Row] = []
        place = start
        for _ in range(LOOKS_MAX):
            answer = await _ask_one(shards, shard, filter, max(1, most - len(rows)), place, *more)
            for row in answer["rows"]:
                if row.get("rest") and rows:
                    join_line(rows[-1], row)
                else:
                    rows.append(row)
            place = answer["before"]
            if place is None or place[1] is None:
                break
        else:
            # It takes too long: count no more of it.
            rows[-1]["more"], place = True, [place[0], None]
        return ShardPage([_distinct(row) for row in rows if "tasks" not in row or row["states"]], place)

    if before is not None:
        # As a shard says it: a place, and where it is in a line, which no page here ends in.
        before = before[0] if isinstance(before, list) and before and isinstance(before[0], list) else ()
    found = await merged(shards, fetch, places_of(before, shards), limit, _newest_first)
    places = places_to(found.places)
    return {"rows": found.rows, "before": None if places is None else [places, None]}


def _distinct(row: Row) -> Row:
    """Ids of different shards may begin with the same moment."""
    if "digits" in row:
        return {**row, "digits": max(row["digits"], ID_DIGITS)}
    short = row.get("short")
    if isinstance(short, str) and ".." not in short and len(short.replace("-", "")) < ID_DIGITS:
        return {**row, "short": show_id(row["id"])[: ID_DIGITS + 2]}  # two dashes stand among them
    return row


async def task_pages(shards: Shards, args: Sequence[Any]) -> Row:
    """``select(filter, limit, before)``."""
    filter, limit, before = _filled(args, None, 0, None)
    if not limit:
        return await _counted(shards, filter, before)

    async def fetch(shard: int, start: Any, most: int) -> ShardPage:
        answer = await _ask_one(shards, shard, filter, most, start)
        return ShardPage(answer["rows"], answer["before"], answer["states"], answer["newest"])

    found = await merged(shards, fetch, places_of(before, shards), limit, _newest_first)
    return {
        "states": [list(one) for one in sorted(found.states.items()) if one[1]],
        "rows": found.rows,
        "newest": found.newest if before is None else before,
        "before": places_to(found.places),
    }


async def _counted(shards: Shards, filter: Any, before: Any) -> Row:
    answers, places = await _portion_of_each(shards, before, lambda place: (filter, 0, place))
    states = Counter[int]()
    for answer in answers.values():
        for state, tasks in answer["states"]:
            states[state] += tasks
    newest: Any = [[answers[number]["newest"]] if number in answers else None for number in shards.numbers]
    return {
        "states": [list(one) for one in sorted(states.items())],
        "rows": [],
        "newest": newest if before is None else before,
        "before": places,
    }


async def task_portions(shards: Shards, args: Sequence[Any]) -> Row:
    """``cancel_where(filter, before)`` and the like: each shard does a portion."""
    filter, before = _filled(args, None, None)
    answers, places = await _portion_of_each(shards, before, lambda place: (filter, place))
    return {"tasks": sum(answer["tasks"] for answer in answers.values()), "before": places}


async def flow_pages(shards: Shards, args: Sequence[Any]) -> Row:
    """``list(behind, limit, short)``."""
    behind, limit, short = _filled(args, None, 100, False)

    async def fetch(shard: int, start: Any, most: int) -> ShardPage:
        answer = await _ask_one(shards, shard, start, most, short)
        return ShardPage(answer["rows"], answer["behind"])

    def order(row: Row) -> tuple[float, str]:
        return -row["created"], row["id"]

    found = await merged(shards, fetch, places_of(behind, shards), limit, order)
    return {"rows": found.rows, "behind": places_to(found.places)}


async def schedule_pages(shards: Shards, args: Sequence[Any]) -> Row:
    """``list(after, limit, history)``: a page of each shard at a time, since who asks puts them in order."""
    first, *rest = args or (0,)
    answers, places = await _portion_of_each(
        shards, None if first == 0 else first, lambda place: (place or 0, *rest), "after"
    )
    rows = [row for number in sorted(answers) for row in answers[number]["rows"]]
    return {"rows": rows, "after": places}


async def _portion_of_each(
    shards: Shards, given: Any, args_of: Callable[[Any], Sequence[Any]], field: str = "before"
) -> tuple[dict[int, Any], Places | None]:
    """A portion of each shard that has more, and where each goes on."""
    places = places_of(given, shards)
    asked = {number: args_of(place[0]) for number, place in enumerate(places) if place is not None}
    answers = await shards.ask(asked)
    following: Places = [None] * len(places)
    for number, answer in answers.items():
        following[number] = None if answer[field] is None else [answer[field]]
    return answers, places_to(following)


async def _ask_one(shards: Shards, shard: int, *args: Any) -> Any:
    """The answer of a shard; of one that is away, that it has nothing."""
    answer = await shards.ask_one(shard, args)
    return _NOTHING if answer is None else answer


_NOTHING: Final[Row] = {"rows": [], "before": None, "behind": None, "states": [], "newest": None}
