"""The dependents that have not ended, in memory: by their own ids, by the ids of what they need, and on whose account they are.
Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Protocol

from ...common.domain.id_runs import IdRun
from ..engine.accounts import Account, Resource
from ..engine.overlaps import Overlaps
from .dependent import Dependent


class Elsewhere(Protocol):
    """Needs between shards: ``master/edges``. ``queues``: by whose rights, see ``store/interface/edges.py``."""

    def needed(self, queues: bytes, run: IdRun, account: Account | None) -> None:
        """A dependent of this shard needs tasks of another one from now on, or the store had it. ``account``: they are on it, unless they
        were needed already."""

    def dropped(self, queues: bytes, run: IdRun) -> None:
        """A dependent needs them no longer."""

    def is_promised(self, run: IdRun) -> bool:
        """Whether another shard needs any of these tasks of this one."""

    def not_needed_yet(self, queues: bytes, runs: Iterable[IdRun]) -> int:
        """How many tasks of other shards these are for which nothing was asked by these rights."""

    def needed_in(self, run: IdRun) -> Set[int]:
        """The other shards that need any of them."""

    def again(self, id: bytes, route: int) -> None:
        """A task of this shard that had ended is to run again."""


class NoOtherShards:
    """Of a cluster of one."""

    def needed(self, queues: bytes, run: IdRun, account: Account | None) -> None:
        """There is nothing that could be."""

    def dropped(self, queues: bytes, run: IdRun) -> None:
        """The same."""

    def is_promised(self, run: IdRun) -> bool:
        return False

    def not_needed_yet(self, queues: bytes, runs: Iterable[IdRun]) -> int:
        return 0

    def needed_in(self, run: IdRun) -> Set[int]:
        return frozenset()

    def again(self, id: bytes, route: int) -> None:
        """There is no one who needs it."""


class KnownDependents:
    """``elsewhere``: what is needed of other shards is known there as well."""

    def __init__(self, elsewhere: Elsewhere | None = None) -> None:
        self.elsewhere: Elsewhere = elsewhere or NoOtherShards()
        self.own: Overlaps[Dependent] = Overlaps()
        self.needed: Overlaps[Dependent] = Overlaps()
        self._count = 0
        # By the number of the first task: and how many runs it needs. Those that were here when the master started are on none.
        self._accounts: dict[int, tuple[Account, int]] = {}

    def __len__(self) -> int:
        return self._count

    def add(self, dependent: Dependent, account: Account | None = None) -> None:
        """``account``: of the key that submitted it; whether there is room was looked at before."""
        if account is not None:
            _note(account, len(dependent.needs), 1)
            self._accounts[dependent.seq] = account, len(dependent.needs)
        self._count += 1
        self.own.add(dependent.run, dependent.seq, dependent)
        for run in dependent.needs:
            self.needed.add(run, dependent.seq, dependent)
        for run in dependent.elsewhere:
            self.elsewhere.needed(dependent.queues or b"", run, account)

    def forget(self, dependent: Dependent) -> None:
        if (taken := self._accounts.pop(dependent.seq, None)) is not None:
            _note(*taken, -1)
        self._count -= 1
        self.own.forget(dependent.run, dependent.seq)
        for run in dependent.needs:
            self.needed.forget(run, dependent.seq)
        for run in dependent.elsewhere:
            self.elsewhere.dropped(dependent.queues or b"", run)

    def load(self, dependents: Iterable[Dependent]) -> None:
        """Keep these instead, on the accounts that they were on."""
        before, self._accounts = self._accounts, {}
        self._count = 0
        self.own.clear()
        self.needed.clear()
        for dependent in dependents:
            self.add(dependent)
            if (taken := before.pop(dependent.seq, None)) is not None:
                self._accounts[dependent.seq] = taken
        for taken in before.values():  # submitted in the transaction that failed
            _note(*taken, -1)

    def is_needed(self, run: IdRun) -> bool:
        """By a task of this shard that has not ended, or by one of another."""
        return self.needed.has(run) or self.elsewhere.is_promised(run)

    def of(self, id: bytes) -> Dependent | None:
        return next((dependent for _, _, dependent in self.own.over(IdRun(id, 1))), None)

    def needs_of(self, id: bytes) -> Sequence[IdRun]:
        for _, place, dependent in self.own.over(IdRun(id, 1)):
            return dependent.needs_of(place)
        return ()


def _note(account: Account, needs: int, sign: int) -> None:
    account.note(Resource.DEPENDENTS, sign)
    account.note(Resource.NEEDS, sign * needs)
