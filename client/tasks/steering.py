"""What an App has for an operator's program: bounds and order of queues, weights and caps of tenants, what holds of limits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from ...common.domain.tenants import NO_TERMS, check_tenant

if TYPE_CHECKING:
    from typing import Unpack

    from ..core.session import ClientSession


class TenantChanges(TypedDict, total=False):
    """What is set for a tenant; what is not named stays."""

    weight: int
    max_running: int | None
    shards_of: list[str]


class LimitChanges(TypedDict, total=False):
    """What is laid over the limit that the code declares; what is not named stays."""

    max_running: int | None
    rate: str | None
    burst: int | None


class SteeringApp:
    """What an App has to steer what waits. Each of these needs a key with the role admin, and ``tq.App(role="admin")``."""

    session: ClientSession

    def set_queue(
        self,
        name: str,
        *,
        maxsize: int | None = None,
        order: str | None = None,
        aging: float | timedelta | None = None,
    ) -> None:
        """Bound how many tasks may wait in a queue, and set in which order they start.

        Submits beyond the bound wait for room, or raise tq.Full with ``on_full="raise"``. What is set is kept by the master until it is
        set again. It needs a key with the role admin, and ``tq.App(role="admin")``.

        Args:
            name: Name of the queue.
            maxsize: How many tasks may wait that no worker has; 0: any number. None: as it is.
            order: ``"fifo"``, or ``"lifo"``: of the same priority what was submitted last starts first. None: as it is.
            aging: Seconds of waiting, from 1, that count as one step of priority; 0: waiting does not count. None: as it is. Excludes
                ``order="lifo"``.

        Raises:
            InvalidArgument: A value is out of its range, or ``aging`` and ``order="lifo"`` meet.
            Forbidden: The key may not do it.
        """
        seconds = aging.total_seconds() if isinstance(aging, timedelta) else aging
        more = () if order is None and seconds is None else (order, seconds)
        self.session.call(("get_queues",), "set", name, maxsize, *more)

    def set_tenant(self, name: str, **changes: Unpack[TenantChanges]) -> None:
        """Set what a tenant may have, at once and for good, as ``tq tenants set`` does.

        Args:
            name: Name of the tenant. It may have no tasks yet.
            changes: ``weight``, tasks in each of its turns, from 1; ``max_running``, how many of its tasks run at once, None: any
                number; ``shards_of``, names of queues, of a cluster of several shards: those of these have the cap, an empty list: all
                shards. What is left out stays as it is.

        Raises:
            InvalidArgument: A value is out of its range, or leaves a shard without any, or nothing is to be changed.
            Forbidden: The key may not do it, or is for some queues or one tenant alone.

        Example::

            app.set_tenant("acme", weight=3, max_running=20)
        """
        NO_TERMS.with_changes(dict(changes))
        self.session.call(("get_tenants",), "set", check_tenant(name), dict(changes))

    def forget_tenant(self, name: str) -> None:
        """Forget what is set for a tenant: it has weight 1 and any number of tasks at once. Its tasks stay.

        Args:
            name: Name of the tenant.

        Raises:
            Forbidden: The key may not do it, or is for some queues or one tenant alone.
        """
        self.session.call(("get_tenants",), "remove", check_tenant(name))

    def set_limit(self, name: str, **changes: Unpack[LimitChanges]) -> None:
        """Change a limit at once, for tasks that wait already, too, as ``tq limits set`` does.

        It stays, whatever the code declares, until ``reset_limit``.

        Args:
            name: Name of a limit that some task has.
            changes: ``max_running``, units at once; ``rate``, such as ``"100/min"``; ``burst``, units together. None: without that
                bound. What is left out stays as it is.

        Raises:
            InvalidArgument: There is no such limit, a value cannot be used, or nothing is to be changed.
            Forbidden: The key may not do it, or is for some queues alone.

        Example::

            app.set_limit("smtp", max_running=5, rate="100/min")
        """
        self.session.call(("get_limits",), "set", name, dict(changes))

    def reset_limit(self, name: str) -> None:
        """Have a limit hold as the code declares it.

        Args:
            name: Name of the limit.

        Raises:
            InvalidArgument: There is no such limit.
            Forbidden: The key may not do it, or is for some queues alone.
        """
        self.session.call(("get_limits",), "reset", name)
