"""What a program says of its tasks besides options: the limits that they count for, whose turn they take, and what is made of those
that end without success. Pure.

Terms are evaluated for each task into columns (columns.py) by the program that submits it. Terms without a parameter are the same for
all tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .coalesce import Coalesce, check_coalesce
from .columns import NO_COLUMNS, NO_KEY, FailureHandler, LaneColumns
from .expressions import Expression, expression
from .limits import Limit, check_limits
from .text_columns import TextColumn


class LaneTerms(NamedTuple):
    """``tenant`` None: the task takes its turn with all those that have none."""

    limits: tuple[Limit, ...] = ()
    tenant: Expression | None = None
    on_failure: FailureHandler | None = None
    coalesce: Coalesce | None = None

    def using(self, given: Mapping[str, Any]) -> LaneTerms:
        """With those of the options in ``TERMS`` that are given. Raises InvalidArgument."""
        limits, tenant, on_failure, coalesce = self
        if "limits" in given:
            limits = check_limits(given["limits"])
        if "tenant" in given:
            tenant = None if given["tenant"] is None else expression("tenant", given["tenant"])
        coalesce = check_coalesce(given.get("coalesce", coalesce))
        return LaneTerms(limits, tenant, given.get("on_failure", on_failure), coalesce)

    @property
    def are_fixed(self) -> bool:
        """Whether they are the same for all tasks, whatever their arguments."""
        is_fixed = self.tenant is None or not self.tenant.parameters
        return is_fixed and all(limit.by is None for limit in self.limits)

    def fixed(self) -> LaneColumns:
        """The columns of any tasks, if they are fixed."""
        if self == NO_TERMS:
            return NO_COLUMNS
        tenant = None if self.tenant is None else TextColumn((self.tenant.key("tenant", {}),))
        limits = tuple((limit, TextColumn((NO_KEY,))) for limit in self.limits)
        return LaneColumns(limits, tenant, self.on_failure, self.coalesce)


NO_TERMS: Final = LaneTerms()
TERMS: Final = frozenset({"limits", "tenant", "on_failure", "coalesce"})  # the options that they are given by
