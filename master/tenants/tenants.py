"""What an operator has set for tenants: how many tasks a turn has, and how many run at once.

A tenant is a name that tasks state (or that the key of their submitter fixes). What holds for one for which nothing is set is the default, so
only what differs is a row. Whose turn it is, and who is held back, is decided where tasks are handed out. One of several shards has a part of a
cap; the row says the whole.

A change of a tenant in several shards has a number, which the first shard gives it with all terms as they are to be (``plan``). It is first made
where less may run then; from then on each shard refuses older ones. So of two that are made at the same moment one is refused, and the parts
of all shards never come to more than the number of one of them::

    plan ─► every shard: lowers, or notes the number ─► all have answered ─► every shard: set

Invariants: 1. what ``terms`` says is what the row says, at every commit; 2. after a shard has had a change, it takes none with a lower number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest
from typing import Any, Final, NamedTuple, Protocol

from ...common.domain.likely_names import likely_name
from ...common.domain.quota_parts import cap_here, check_cap_parts, shards_of_queues
from ...common.domain.shards import ONLY_SHARD, Shard
from ...common.domain.tenants import NO_TERMS, TenantTerms, check_tenant
from ...common.errors import InvalidArgument
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture, Store
from ..store.interface.tenants import TenantRow

TENANTS_MAX: Final = 10_000  # for which something is set
PLANNED_MAX: Final = 1_000  # changes under way of tenants for which nothing is set
CHANGES: Final = "tenant_changes"  # in the store: how many were planned


class TenantUse(NamedTuple):
    """What the tasks of a tenant do. ``running``: leased to workers; ``held``: those of the ready ones that its cap holds back."""

    waiting: int = 0
    running: int = 0
    held: int = 0


NO_USE: Final = TenantUse()


class TenantUsage(Protocol):
    """Who counts the tasks of each tenant: ``master/tasks``."""

    def use(self, name: str) -> TenantUse: ...
    def names(self) -> Iterable[str]:
        """Of all tenants of tasks that are here, also ended ones."""


class NothingUsed:
    """Of a master without tasks."""

    def use(self, name: str) -> TenantUse:
        return NO_USE

    def names(self) -> Iterable[str]:
        return ()


class SetTenants(Part):
    def __init__(self, store: Store, shard: Shard = ONLY_SHARD) -> None:
        self._store, self._shard = store, shard
        self.usage: TenantUsage = NothingUsed()  # the one that counts is made later
        self._rows: dict[str, TenantRow] = {}
        self._planned: dict[str, int] = {}  # numbers of changes of those without a row
        self._listeners: list[Callable[[str], None]] = []

    def load(self, picture: Picture, now: Now) -> None:
        self._rows = {row.name: row for row in self._store.tenant_rows()}
        self._planned.clear()

    def listen(self, listener: Callable[[str], None]) -> None:
        """``listener`` is called with the name of a tenant for which something else holds from now on."""
        self._listeners.append(listener)

    def terms(self, name: str) -> TenantTerms:
        row = self._rows.get(name)
        return NO_TERMS if row is None else _terms_of(row)

    def here(self, name: str) -> TenantTerms:
        """The same, with the part of its cap that this shard has."""
        return cap_here(self.terms(name), name, self._shard)

    def divided_over(self, name: str) -> int:
        """How many shards have a part of its cap."""
        return len(shards_of_queues(self.terms(name).shards_of, self._shard.of))

    def row(self, name: str) -> TenantRow | None:
        """None: nothing is set for it."""
        return self._rows.get(name)

    def plan(self, name: str, changes: Mapping[str, Any]) -> tuple[int, TenantTerms]:
        """The number of a change, and all terms when it is made. Raises InvalidArgument."""
        terms = self.terms(check_tenant(name)).with_changes(changes)
        check_cap_parts(terms, name, self._shard.of)
        number = int.from_bytes(self._store.get_meta(CHANGES) or b"", "big") + 1
        self._store.set_meta(CHANGES, number.to_bytes(8, "big"))
        self._note(name, number)
        return number, terms

    def _note(self, name: str, number: int) -> None:
        """Older changes are refused from now on."""
        row = self._rows.get(name)
        if row is not None:
            self._rows[name] = row._replace(change=number)
            self._store.put_tenant(self._rows[name])
            return
        self._planned.pop(name, None)
        self._planned[name] = number
        if len(self._planned) > PLANNED_MAX:
            del self._planned[next(iter(self._planned))]

    def _newest(self, name: str) -> int:
        row = self._rows.get(name)
        return self._planned.get(name, 0) if row is None else row.change

    def change(
        self,
        name: str,
        changes: Mapping[str, Any],
        now: Now,
        *,
        lowers: bool = False,
        number: int | None = None,
    ) -> None:
        """``lowers``: only if less may run in this shard then. ``number``: of a change of several shards. Raises InvalidArgument."""
        terms = self.terms(check_tenant(name)).with_changes(changes)
        check_cap_parts(terms, name, self._shard.of)
        newest = self._newest(name)
        if number is not None and number < newest:
            raise InvalidArgument(
                f"another change of tenant {name!r} was begun after this one, and holds; look at `tq tenants ls`, and say yours again if it is "
                "to hold"
            )
        if lowers and not self._is_less(name, terms):
            if number is not None and number > newest:
                self._note(name, number)
            return
        if name not in self._rows and len(self._rows) >= TENANTS_MAX:
            raise InvalidArgument(
                f"something is set for {TENANTS_MAX:,} tenants already; let some have the default: tq tenants rm NAME"
            )
        row = TenantRow(
            name,
            terms.weight,
            terms.max_running,
            now.steady,
            "\n".join(terms.shards_of) or None,
            newest if number is None else number,
        )
        self._planned.pop(name, None)
        self._store.put_tenant(row)
        self._rows[name] = row
        self._tell(name)

    def _is_less(self, name: str, terms: TenantTerms) -> bool:
        before, after = self.here(name).max_running, cap_here(terms, name, self._shard).max_running
        return after is not None and (before is None or after < before)

    def drop(self, name: str) -> None:
        """It has weight 1 and no cap. Raises InvalidArgument."""
        if name not in self._rows:
            likely = likely_name(name, sorted(self._rows))
            meant = f"; did you mean {likely!r}?" if likely else "; `tq tenants ls` shows what is"
            raise InvalidArgument(f"nothing is set for tenant {name!r}{meant}")
        self._store.drop_tenant(name)
        del self._rows[name]
        self._tell(name)

    def names_after(self, after: str | None, most: int) -> list[str]:
        """In order, those of tasks that are here and those for which something is set. None: from the first one."""
        known = {*self.usage.names(), *self._rows}
        return nsmallest(most, (name for name in known if after is None or name > after))

    def _tell(self, name: str) -> None:
        for listener in self._listeners:
            listener(name)


def _terms_of(row: TenantRow) -> TenantTerms:
    return TenantTerms(
        row.weight, row.max_running, () if row.shards_of is None else tuple(row.shards_of.split("\n"))
    )
