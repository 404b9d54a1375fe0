"""Resources whose units are distinguished: of two GPUs, a task learns which one is its own. Pure.

::

    gpu=2 ─► "0", "1"        gpu=0,3 ─► "0", "3"       mem=16G ─► an amount, and nothing to tell apart

A whole unit is one task's alone; parts of units share one as long as they fit on it: 0.5 and 0.5 are on the same, so that a whole
one stays free. A task that needs 2.5 gets two of its own and a half of a third.

Invariants: 1. what is given of an index is at most one unit; 2. an index of which a task has a whole unit is no other task's; 3. what is
given back is what was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from ..errors import ConfigError, InvalidArgument
from ..values.brief import brief
from .amounts import THOUSANDTHS

INDEXES_MAX: Final = 1_000  # of one resource: what has more units is an amount, as memory is
GPU: Final = "gpu"
GPU_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"
AMOUNT: Final = -1  # the place of what was given of a resource whose units are all the same
_NAME: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class Own(NamedTuple):
    """What a worker has of one resource. ``names``: of its units, where they were named."""

    amount: int  # in thousandths
    names: tuple[str, ...] = ()


class UnitPart(NamedTuple):
    """What was given of one index, or of an amount."""

    resource: str
    place: int  # of the index; AMOUNT
    amount: int  # in thousandths


Given = tuple[UnitPart, ...]


def read_names(what: str, names: Sequence[object]) -> Own:
    """``0,3``, or the same as a list. Raises InvalidArgument."""
    texts = [
        str(name).strip() if isinstance(name, str | int) and not isinstance(name, bool) else ""
        for name in names
    ]
    if not all(map(_NAME.fullmatch, texts)) or len(set(texts)) < len(texts) or not texts:
        raise InvalidArgument(
            f"{what}={brief(','.join(map(str, names)), 80)}: names of units are letters, digits and _ . : / -, each once, as in gpu=0,1; "
            "how many there are is one number, as in gpu=2"
        )
    if len(texts) > INDEXES_MAX:
        raise InvalidArgument(f"{what} has {len(texts):,} named units; at most {INDEXES_MAX:,}")
    return Own(len(texts) * THOUSANDTHS, tuple(texts))


def own_indexes(own: Mapping[str, Own], environment: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The names of the units of each resource that has some. GPUs that were not named are those that the worker itself is shown.
    Raises ConfigError when it is shown fewer than it says it has."""
    found: dict[str, tuple[str, ...]] = {}
    for resource, (amount, names) in own.items():
        units, rest = divmod(amount, THOUSANDTHS)
        if names:
            found[resource] = names
        elif units <= INDEXES_MAX and not rest:
            found[resource] = tuple(map(str, range(units)))
            shown = environment.get(GPU_VARIABLE)
            if resource == GPU and shown is not None:
                seen = tuple(one.strip() for one in shown.split(",") if one.strip())
                if len(seen) < units:
                    raise ConfigError(
                        f"--resource {resource}={units}, but {GPU_VARIABLE}={shown} shows this worker {len(seen)}; write --resource "
                        f"{resource}={len(seen)}, or change the variable"
                    )
                found[resource] = seen[:units]
    return found


class UnitsHolder(Protocol):
    """A pool, which has its units until some pool needs them."""

    @property
    def waits(self) -> bool:
        """Whether tasks of it wait for units."""

    def return_ended(self) -> bool:
        """Give back what jobs had that have ended. Whether there was any."""

    def look(self, now: float) -> None:
        """Units are free that were not."""


class Indexes:
    """The units of a worker, and what is free of each. Shared by its pools, which give back what is over when one of them needs some."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._names = names
        self._holders: list[UnitsHolder] = []
        self._free = {resource: [THOUSANDTHS] * len(units) for resource, units in names.items()}
        self._amounts: dict[str, int] = {}  # what is free of resources whose units are all the same

    def count_amounts(self, own: Mapping[str, Own]) -> None:
        """From now on what has no names is counted here, too: of a worker of several shards, each master counts what its own tasks hold."""
        self._amounts = {name: one.amount for name, one in own.items() if name not in self._free}

    def concern(self, needs: Iterable[tuple[str, int]]) -> bool:
        """Whether what such a task needs is counted here."""
        return any(resource in self._free or resource in self._amounts for resource, _ in needs)

    def take(self, needs: Iterable[tuple[str, int]], liked: Iterable[UnitPart] = ()) -> Given | None:
        """What a task gets; None: it does not fit at the moment, and nothing is taken. ``liked``: what the process that is to run it
        had before; it is given that again where it can be."""
        found: list[UnitPart] = []
        for resource, amount in needs:
            if resource in self._free:
                parts = self._find(resource, amount, {one.place for one in liked if one.resource == resource})
                if parts is None:
                    return None
                found += parts
            elif resource in self._amounts:
                if self._amounts[resource] < amount:
                    return None
                found.append(UnitPart(resource, AMOUNT, amount))
        self._change(found, -1)
        return tuple(found)

    def fits(self, needs: Iterable[tuple[str, int]]) -> bool:
        """Whether a task may have what it needs now."""
        given = self.take(needs)
        if given is not None:
            self.give_back(given)
        return given is not None

    def give_back(self, given: Given) -> None:
        self._change(given, 1)

    # the pools

    def join(self, holder: UnitsHolder) -> None:
        self._holders.append(holder)

    def reclaim(self) -> None:
        """Of all pools, also of those in which nothing happens: what one of them does not use any more is another one's to use."""
        for holder in self._holders:
            holder.return_ended()

    def offer(self, by: UnitsHolder, now: float) -> None:
        """Something has ended in this pool: if tasks of others wait for units, they may have those now."""
        if len(self._holders) > 1:
            waiting = [one for one in self._holders if one is not by and one.waits]
            if waiting and by.return_ended():
                for one in waiting:
                    one.look(now)

    def _change(self, given: Iterable[UnitPart], sign: int) -> None:
        for part in given:
            if part.place == AMOUNT:
                self._amounts[part.resource] += sign * part.amount
            else:
                self._free[part.resource][part.place] += sign * part.amount

    def named(self, given: Given) -> dict[str, list[str]]:
        """The names of the units, by resource."""
        names: dict[str, list[str]] = {}
        for part in given:
            if part.place != AMOUNT:
                names.setdefault(part.resource, []).append(self._names[part.resource][part.place])
        return names

    def _find(self, resource: str, amount: int, liked: set[int]) -> list[UnitPart] | None:
        free = self._free[resource]
        whole, rest = divmod(amount, THOUSANDTHS)
        untouched = sorted(
            (place for place, left in enumerate(free) if left == THOUSANDTHS), key=lambda at: at not in liked
        )
        if len(untouched) < whole:
            return None
        parts = [UnitPart(resource, place, THOUSANDTHS) for place in untouched[:whole]]
        if rest:  # on the one that it fills best, so that whole ones stay free
            taken = {part.place for part in parts}
            fits = [
                (left, at not in liked, at)
                for at, left in enumerate(free)
                if left >= rest and at not in taken
            ]
            if not fits:
                return None
            parts.append(UnitPart(resource, min(fits)[2], rest))
        return sorted(parts)
