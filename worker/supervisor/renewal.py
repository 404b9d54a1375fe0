"""New code for a worker that runs: one child is tried with it, and when that has loaded it, all others are replaced.

::

    a file has changed ─► a child is started beside the others ─┬─ loaded ─► the others finish what they run and end; new ones in their place
                                                                └─ not ────► its error is logged; the others stay until the next change
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from ...common.runtime.config import WorkerSettings
from ...common.runtime.sources import Sources, differences
from ..agent.agent import Agent

POLL_SECONDS: Final = 0.5
SETTLED_SECONDS: Final = 0.1  # an editor that writes several files is waited for
FILES_NAMED_MAX: Final = 3


class RenewedPool(Protocol):
    """The children of a pool."""

    agent: Agent
    replaced: set[int]
    next_number: int

    def start_one(self) -> None: ...


class Renewal:
    """Of one pool. ``done``: called when its children are being replaced, or, with False, when they stay."""

    def __init__(self, runners: RenewedPool, done: Callable[[bool], None]) -> None:
        self._runners, self._done = runners, done
        self.trial = 0  # the number of the child that is tried; 0: none
        self._is_outdated = False  # the code has changed again meanwhile

    def begin(self) -> None:
        """The code has changed."""
        # The child that is tried may have read the files before this change: another one is tried after it.
        if self.trial:
            self._is_outdated = True
            return
        self._is_outdated, self.trial = False, self._runners.next_number
        self._runners.start_one()

    def loaded(self) -> None:
        """The child that is tried is ready: it takes the place of one of the others, which are those with the former code."""
        trial, children = self.trial, self._runners.agent.children
        with self._ended(is_loaded=True):
            former = [one for one in children.values() if one.number != trial and not one.is_lent]
            for place, child in enumerate(one for one in former if not children.is_used_up(one)):
                self._runners.replaced.add(child.number)
                child.is_retiring = True
                if place:
                    self._runners.start_one()
                # At once if it is idle: else when its job ends.
                children.retire_if_due(child)

    def failed(self) -> None:
        """It could not load the code, and has said why."""
        with self._ended(is_loaded=False):
            pass

    @contextmanager
    def _ended(self, *, is_loaded: bool) -> Iterator[None]:
        self.trial = 0
        yield
        self._done(is_loaded)
        if self._is_outdated:
            self.begin()


class RenewedRunners(Protocol):
    @property
    def renewal(self) -> Renewal: ...
    @property
    def schedules(self) -> list[list[Any]]: ...
    @property
    def signatures(self) -> list[list[Any]]: ...


class RenewedPools(Protocol):
    """A pool of a worker."""

    @property
    def runners(self) -> RenewedRunners: ...
    @property
    def agent(self) -> Agent: ...


class ServedCode:
    """What the master knows of the code, and what it is to know when other code is loaded."""

    def __init__(
        self,
        pools: Sequence[RenewedPools],
        facts: Callable[[], dict[str, Any]],
        announce_again: Callable[[], None],
        report: Callable[..., None],
    ) -> None:
        self._pools, self._facts, self._announce_again, self._report = pools, facts, announce_again, report
        self._announced: object = None

    def announced(self, facts: dict[str, Any]) -> None:
        self._announced = self._with_schedules(facts)

    def changed(self) -> None:
        for pool in self._pools:
            if not pool.agent.draining:
                pool.runners.renewal.begin()

    def tried(self, is_loaded: bool) -> None:
        """In one pool. When all have, and there are other tasks now, they are announced."""
        facts = self._facts()
        if is_loaded:
            self._report("code.loaded", tasks=len(facts["tasks"]) - 1)  # without the probe
        # Once for all pools, after the last: the facts are of all.
        if self._announced is None or any(pool.runners.renewal.trial for pool in self._pools):
            return
        if self._announced != self._with_schedules(facts):
            self._announce_again()

    def _with_schedules(self, facts: dict[str, Any]) -> object:
        """How many slots there are is known by the heartbeats."""
        runners = self._pools[0].runners
        return {**facts, "slots": 0}, runners.schedules, runners.signatures


class CodeWatch:
    """Calls ``changed`` when a source file has."""

    def __init__(
        self, settings: WorkerSettings, report: Callable[..., None], changed: Callable[[], None]
    ) -> None:
        named = [Path(source) for source in settings.modules if source.endswith(".py")]
        self._sources = Sources(Path.cwd(), named)
        self._report, self._changed = report, changed
        self._seen = self._sources.look()  # before the first child has read them

    async def run(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            # In a thread: on a slow disk a look would hold up the children's reports.
            now = await asyncio.to_thread(self._sources.look)
            if not (files := differences(self._seen, now)):
                continue
            while True:
                await asyncio.sleep(SETTLED_SECONDS)
                then, now = now, await asyncio.to_thread(self._sources.look)
                if then == now:
                    break
            files, self._seen = differences(self._seen, now), now
            if files:
                more = f" and {len(files) - FILES_NAMED_MAX} more" if len(files) > FILES_NAMED_MAX else ""
                shown = ", ".join(Path(file).name for file in files[:FILES_NAMED_MAX]) + more
                self._report("code.changed", files=shown)
                self._changed()
