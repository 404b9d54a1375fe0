"""The log of workers that join, come back, leave or are lost. A line each, few of a flood.

Written when the transaction is durable.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ...common.runtime.limited_log import LimitedLog, LineBounds
from ..engine.core import Core
from ..engine.part import Part
from ..engine.session import Session
from .worker_info import WorkerInfo

RETURNS_MS: Final = 30_000  # one worker that returns more often is one line in that time
WORKERS_MAX: Final = 10_000  # whose returns are remembered
BOUNDS: Final = LineBounds(at_once=100, seconds_a_line=1.0)  # a large cluster that is started is logged whole


class MembershipLog(Part):
    def __init__(self, core: Core) -> None:
        self._timeline, report = core.timeline, core.report
        self._joined = LimitedLog(report, "worker.joined", bounds=BOUNDS, level="info")
        self._returned = LimitedLog(report, "worker.returned", bounds=BOUNDS, level="info")
        self._left = LimitedLog(report, "worker.left", bounds=BOUNDS, level="info")
        self._lost = LimitedLog(report, "worker.lost", bounds=BOUNDS)
        self._returns: dict[bytes, int] = {}  # when a return of each worker was last noted, monotonic ms
        self._noted: list[tuple[LimitedLog, dict[str, Any]]] = []  # in the transaction under way

    def joined(self, session: Session, info: WorkerInfo, *, again: bool) -> None:
        """``again``: it was known already, and its connection was lost in between."""
        if again and self._is_noted(session.node):
            return
        facts = {"slots": info.slots, "tasks": len(info.tasks), "version": info.version}
        who = _who(session.node, info)
        self._note(
            self._returned if again else self._joined,
            {**who, "address": session.address, "key": session.verifier.key_id, **facts},
        )

    def left(self, node: bytes, info: WorkerInfo | None) -> None:
        """It ended by itself."""
        self._note(self._left, _who(node, info))

    def lost(self, node: bytes, info: WorkerInfo | None, held: int) -> None:
        """It was away for too long. ``held``: its tasks, which others get."""
        self._note(self._lost, {**_who(node, info), "held": held})

    def _is_noted(self, node: bytes) -> bool:
        """Whether its last return is in the log and just before this one."""
        now = self._timeline.now.mono
        if now - self._returns.get(node, -RETURNS_MS) < RETURNS_MS:
            return True
        if len(self._returns) >= WORKERS_MAX:
            self._returns.clear()
        self._returns[node] = now
        return False

    def committed(self) -> None:
        if self._noted:
            seconds = self._timeline.now.mono / 1000
            for log, fields in self._noted:
                log.write(seconds, **fields)
            self._noted.clear()

    def void(self) -> Iterable[Session]:
        self._noted.clear()
        return ()

    def _note(self, log: LimitedLog, fields: dict[str, Any]) -> None:
        self._noted.append((log, fields))


def _who(node: bytes, info: WorkerInfo | None) -> dict[str, Any]:
    """The node as `tq workers` shows it."""
    return {"node": node.hex()[:8]} | ({} if info is None else {"host": info.host, "pid": info.pid})
