"""What an operator sets for a tenant: how many tasks a turn of it has, and how many run at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .expressions import check_key
from .model import check_name

WEIGHT_MAX: Final = 1_000  # tasks in one turn: those of the others wait so long
MAX_RUNNING_MAX: Final = 1_000_000  # at once; more would cap nothing
SHARDS_OF_MAX: Final = 64  # queues that are named for its shards


class TenantTerms(NamedTuple):
    """``weight``: tasks in a turn. ``max_running``: in the whole cluster at once; None: any number. ``shards_of``: queues in the shards that
    this is divided over; none: all shards."""

    weight: int = 1
    max_running: int | None = None
    shards_of: tuple[str, ...] = ()

    def with_changes(self, changes: Mapping[str, Any]) -> TenantTerms:
        """Raises InvalidArgument."""
        if not isinstance(changes, dict) or not changes:
            raise InvalidArgument("changes must be a map of weight, max_running or shards_of")
        for name in changes:
            if name not in self._fields:
                raise InvalidArgument(
                    f"of a tenant weight, max_running and shards_of can be set, not {brief(name, 80)}"
                )
        terms = self._replace(**changes)
        if "shards_of" in changes:
            terms = terms._replace(shards_of=_queues(changes["shards_of"]))
        _check("weight", terms.weight, WEIGHT_MAX, "to start nothing of it: tq strike add 'tenant=NAME'")
        if terms.max_running is not None:
            _check("max_running", terms.max_running, MAX_RUNNING_MAX, "none lets any number run at once")
        return terms


NO_TERMS: Final = TenantTerms()


def _queues(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or len(given) > SHARDS_OF_MAX:
        raise InvalidArgument(
            f"shards_of of a tenant is a list of at most {SHARDS_OF_MAX} queues, not {brief(given, 80)}"
        )
    return tuple(check_name("queue", queue) for queue in given)


def check_tenant(name: object) -> str:
    """The name of a tenant that something is set for. Raises InvalidArgument."""
    if check_key("a tenant", name) == "":
        raise InvalidArgument(
            "tasks without a tenant take their turns together, with weight 1 and no cap; name a tenant: tq tenants set NAME"
        )
    return str(name)


def _check(name: str, value: object, most: int, remedy: str) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise InvalidArgument(
            f"{name} of a tenant is a whole number from 1 to {most:,}, not {brief(value)}; {remedy}"
        )
