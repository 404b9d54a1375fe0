"""The embedded store's verbs for the life of tasks: submitted, leased, ended, due, forgotten: see ``interface.tasks.TaskStore``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ....common.domain.model import StateNumber
from ..interface.tasks import EndedAttempt, Expired, Leased, NewTasks, Returned, Success
from .blobs import SqliteBlobs
from .executor import StatementExecutor

PLAIN: Final = (0, *[None] * 5)  # priority, due, expires, timeout, options, origin: of most tasks


class SqliteTasks(StatementExecutor):
    _beginnings: frozenset[StateNumber]
    blobs: SqliteBlobs

    def insert(self, groups: Sequence[NewTasks]) -> bool:
        plain: list[tuple[Any, ...]] = []  # most tasks: fewer parameters are a fifth less work
        full: list[tuple[Any, ...]] = []
        for group in groups:
            if group.state not in self._beginnings:
                raise ValueError(
                    f"no task may begin as {StateNumber(group.state)}: see the table of lifecycle.py"
                )
            shared = (
                group.route,
                group.state,
                group.attempt,
                group.lease,
                group.worker,
                group.created,
                group.started,
            )
            due = group.due if group.at is None else -group.at
            rest = group.priority, due, group.expires, group.timeout, group.options, group.origin
            if rest == PLAIN:
                plain += [(*task, *shared) for task in group.tasks]
            else:
                full += [(*task, *shared, *rest) for task in group.tasks]
        self._run("SAVEPOINT insertion")
        whole = self._many("insert_plain", plain) + self._many("insert", full) == len(plain) + len(full)
        if not whole:
            self._run("ROLLBACK TO insertion")
        self._run("RELEASE insertion")
        return whole

    def lease(
        self, routes: Sequence[int], limit: int, bytes_max: int | None, lease: bytes, worker: int, now: int
    ) -> list[Leased]:
        self.settle()
        given = {"lease": lease, "worker": worker, "now": now}
        if len(routes) > 1:
            heads = [head for route in routes for head in self._all("ready_heads", (route, limit))]
            chosen = _first(heads, limit, bytes_max)
            rows = [row for seq in chosen for row in self._all("lease_one", {**given, "seq": seq})]
        elif bytes_max is None:
            rows = self._all("lease_route", {**given, "route": routes[0], "limit": limit})
        else:
            given |= {"route": routes[0], "limit": limit, "bytes_max": bytes_max}
            rows = self._all("lease_route_measured", given)
        rows.sort(key=lambda row: (-row[0], row[1]))  # RETURNING promises no order
        return list(map(Leased._make, rows))

    # ends

    def succeed(self, rows: Sequence[Success]) -> None:
        self._exactly("succeed", rows)

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        fields = [{name: getattr(row, name) for name in EndedAttempt.__slots__} for row in rows]
        self._exactly("end_attempt", fields)
        self._many("log_attempt", fields)
        self._many("forget_snoozed_logs", fields)
        self._many("forget_snoozed", fields)

    def return_unstarted(self, rows: Sequence[Returned]) -> None:
        self._exactly("return_unstarted", rows)

    def request_cancel(self, seq: int) -> None:
        self._exactly("request_cancel", [(seq,)])

    def cancel_waiting(self, seq: int, now: int) -> None:
        self._exactly("cancel_waiting", [(now, seq)])

    def revive(self, seq: int) -> None:
        self._exactly("revive", [(seq,)])

    # time

    def next_due(self) -> int | None:
        self.settle()
        return self._value("next_due")

    def promote(self, now: int, limit: int) -> list[int]:
        self.settle()
        return self._promoted(self._all("due", (now, limit)))

    def next_at(self) -> int | None:
        self.settle()
        return self._value("next_at")

    def promote_at(self, wall: int, limit: int) -> list[int]:
        self.settle()
        return self._promoted(self._all("due_at", (wall, limit)))

    def _promoted(self, rows: list[tuple[int, int]]) -> list[int]:
        self._exactly("promote", [(seq,) for seq, _ in rows])
        return [route for _, route in rows]

    def next_expiry(self) -> int | None:
        self.settle()
        return self._value("next_expiry")

    def expire(self, now: int, limit: int) -> list[Expired]:
        self.settle()
        rows = [Expired(*row) for row in self._all("overdue", (now, limit))]
        self._exactly("expire", [(now, row.seq, row.state) for row in rows])
        return rows

    def purge(self, finished_before: int, limit: int) -> list[tuple[int, int]]:
        self.settle()
        rows = self._all("finished_before", (finished_before, limit))
        self.delete([seq for seq, _, _ in rows])
        return [(route, state) for _, route, state in rows]

    def delete(self, seqs: Sequence[int]) -> None:
        sequence = [(seq,) for seq in seqs]
        self._many("delete_attempts", sequence)
        self._many("delete_logs", sequence)
        self.blobs.unname(sequence)
        self._exactly("delete", sequence)


def _first(heads: list[tuple[int, int, int]], limit: int, bytes_max: int | None) -> list[int]:
    """Of ``(priority, seq, payload bytes)`` the seqs whose turn it is, up to both bounds."""
    heads.sort(key=lambda head: (-head[0], head[1]))
    chosen: list[int] = []
    size = 0
    for _, seq, payload_bytes in heads[:limit]:
        size += payload_bytes
        if chosen and bytes_max is not None and size > bytes_max:
            break
        chosen.append(seq)
    return chosen
