"""The object for limits that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``limits.py`` the
behaviour.

``get_limits()``. A limit is the cluster's, and its keys are made of the arguments of tasks: a key of some queues only sees the
limits that it has declared itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.limit_parts import is_divided, is_in_every
from ...common.domain.limits import Limit, limit_from_wire
from ...common.domain.model import NAME_CHARS_MAX, Role
from ...common.errors import Forbidden, InvalidArgument
from ..api.validation import EngineObject, validate_text, validate_whole
from ..engine.session import Call
from ..store.interface.limits import LimitRow
from .limits import KeyUsage, NamedLimit, NamedLimits, edits_of

LIST_MAX: Final = 500  # in one answer
KEYS_MAX: Final = 1_000

Rows = Sequence[dict[str, Any]]  # an alias, because the object has a method called list


class LimitsObject(EngineObject):
    """``get_limits()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call, after: str = "", limit: int = LIST_MAX) -> Rows:
        """Limits with a name above ``after``, in order: what holds, what is declared, and what runs and waits under each."""
        most = validate_whole("limit", limit, 1, LIST_MAX)
        rows = self._part.listing(validate_text("after", after), most)
        self.engine.work.glanced(len(rows))
        return [self._summary(named) for named in rows if _may_see(call, named)]

    @exposed(Role.VIEWER)
    def show(self, call: Call, name: str, limit: int = 20) -> dict[str, Any]:
        """A limit, and so many of its keys: those with the most tasks that wait first."""
        named = self._part.get(_name(name))
        if not _may_see(call, named):
            raise Forbidden(
                f"this key may use some queues, and {name!r} was declared by another; ask for a key of all queues"
            )
        most = validate_whole("limit", limit, 0, KEYS_MAX)
        totals = self._part.usage.totals(name)
        self.engine.work.glanced(totals.keys)
        keys = self._part.usage.keys(name, most, self.engine.now) if most else ()
        return {**self._summary(named), "used": [_key(one) for one in keys]}

    @exposed(Role.ADMIN)
    def set(
        self, call: Call, name: str, changes: dict[str, Any], elsewhere: Sequence[Any] | None = None
    ) -> dict[str, Any]:
        """Lay ``max_running``, ``rate`` or ``burst`` over what is declared, nil: without a bound; answers what holds. ``elsewhere``: the id
        of the key that declared it in another shard, and what it says there; it is declared so here if nothing is yet."""
        _check_covers(call)
        if not isinstance(changes, dict) or not changes:
            raise InvalidArgument("changes must be a map of max_running, rate or burst")
        declared = None if elsewhere is None else self._declared_elsewhere(_name(name), elsewhere)
        return self._summary(self._part.change(_name(name), changes, self.engine.now, declared))

    @exposed(Role.ADMIN)
    def reset(self, call: Call, name: str) -> dict[str, Any]:
        """It holds as it is declared; answers that."""
        _check_covers(call)
        return self._summary(self._part.reset(_name(name), self.engine.now))

    @exposed(Role.ADMIN)
    def remove(self, call: Call, name: str) -> None:
        """Forget a limit that no task and no connected program has any more."""
        _check_covers(call)
        self._part.drop(name, self._part.usage.unfinished(_name(name)))

    @property
    def _part(self) -> NamedLimits:
        return self.engine.part(NamedLimits)

    def _declared_elsewhere(self, name: str, given: Any) -> LimitRow:
        match given:
            case [str(key), {"name": str(of), **terms}] if of == name and is_in_every(
                name, self._part.shard.of
            ):
                return self._part.row_of(limit_from_wire({"name": name, **terms}), _name(key))
        raise InvalidArgument(
            "elsewhere is [id of a key, limit], of a limit with this name that is in several shards"
        )

    def _summary(self, named: NamedLimit) -> dict[str, Any]:
        part = self._part
        programs, differing = part.programs(named)
        return {
            "name": named.row.name,
            **_bounds(named.holds),
            "declared": _bounds(named.declared),
            "set": edits_of(named),
            "key": named.row.key,
            "since": self.engine.now.shown(named.row.since),
            "programs": programs,
            "differing": differing,
            **({"over": part.shard.of} if is_divided(named.row.name, part.shard.of) else {}),
            **part.usage.totals(named.row.name)._asdict(),
        }


def _bounds(limit: Limit | None) -> dict[str, Any]:
    """What a limit says, in all shards; a burst that is not given is the one that counts."""
    if limit is None:
        return {"max_running": None, "rate": None, "burst": None}
    return {"max_running": limit.max_running, "rate": limit.rate, "burst": limit.most_together}


def _key(one: KeyUsage) -> dict[str, Any]:
    return one._asdict()


def _may_see(call: Call, named: NamedLimit) -> bool:
    verifier = call.session.verifier
    return not verifier.queues or named.row.key == verifier.key_id


def _check_covers(call: Call) -> None:
    if call.session.verifier.queues:
        raise Forbidden("a limit is the whole cluster's: this takes an admin key of all queues")


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > NAME_CHARS_MAX:
        raise InvalidArgument(f"the name of a limit is text of at most {NAME_CHARS_MAX} characters")
    return value
