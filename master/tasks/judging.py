"""Judges a submit: what its call says becomes a submission, or is refused. Pure but for the store.

A submit that waits for room in a full queue is judged once more when there is some: what it needs may have been deleted by then, its
flow may have ended, and after a failed transaction there is another route of the same names.
"""

from __future__ import annotations

from typing import Final

from ...common.domain.ids import COMPUTED
from ...common.domain.tags import check_tags_together
from ...common.errors import InvalidArgument
from ...common.wire.frames import pack, too_large
from ..engine.accounts import Resource
from .consulted import Consulted
from .plan import LEASE_BYTES_MAX, LEASE_TASKS_MAX, Submission, SubmitCall
from .route import LaneKey, Route, packed_placing
from .routes import Routes
from .said_lanes import said_lanes, with_lanes
from .submitted import NewRun, check_computed, with_index
from .subscriptions import Subscriptions

LARGE_BYTES: Final = LEASE_BYTES_MAX // LEASE_TASKS_MAX  # smaller payloads cannot fill a reply: not measured


class SubmitJudge:
    def __init__(
        self, routes: Routes, subscriptions: Subscriptions, consulted: Consulted, payload_bytes_max: int
    ) -> None:
        self._routes, self._subscriptions, self._consulted = routes, subscriptions, consulted
        self._payload_bytes_max = payload_bytes_max

    def submission(self, said: SubmitCall, route: Route, runs: list[NewRun]) -> Submission:
        """All tasks of a submit. Raises InvalidArgument, QuotaExceeded and UnknownBlob."""
        call, options, stream = said.call, said.options, said.stream
        named = None if said.blobs is None else said.blobs()
        if any(new.first >= COMPUTED for new in runs):
            check_computed(route, runs, said.proofs)
        if runs and runs[0].needs is not None:
            self._consulted.needs.check(call.session, runs, options)
        if stream is not None:
            self._subscriptions.check_room(call.session, stream, (new.run for new in runs))
        chosen = options.to_wire()
        packed = pack(chosen) if chosen else None
        size = largest(runs)
        if size > self._payload_bytes_max:
            raise InvalidArgument(too_large("the arguments have", size, self._payload_bytes_max))
        origin = None
        if said.flow is not None:
            ids = (id for new in runs for id in new.run.ids())
            origin = self._consulted.flows.origin(call.session, said.flow, ids)
        parent = self._consulted.parents.of(said.parent)
        if (
            self._consulted.struck.on_tasks
        ):  # which lanes those need that a strike holds is found when the tasks are written
            call.session.account.check(Resource.LANES, 1)
        owner = self._consulted.quotas.owner(call.session.verifier.key_id)
        base = LaneKey(needs=packed_placing(options), has_deadline=options.deadline is not None, owner=owner)
        tenant = call.session.verifier.tenant
        if (said.columns is not None or tenant) and runs:  # last: a submit that is refused makes no lanes
            lanes = said_lanes(said.columns, runs, tenant)
            if (coalesce := lanes.columns.coalesce) is not None:
                calls, ms = coalesce.to_wire()
                base = base._replace(coalesce=(calls, ms))
            base = base._replace(handler=self._consulted.handlers.packed(lanes.columns.on_failure, call))
            for limit, _ in lanes.columns.limits:
                self._consulted.limits.declare(limit, call.session)
            if (index := lanes.columns.indexed) is not None:
                check_tags_together(options.tags, index.names())
                runs = with_index(runs, index)
            route, runs = with_lanes(self._routes, route, runs, lanes, base, call.session.account)
        else:
            route = self._routes.lane(route, base, call.session.account)
        submission = Submission(call, route, options, packed, runs, stream, size > LARGE_BYTES, named, origin)
        submission.session, submission.same = call.session, said.same
        submission.parent = parent
        return submission


def largest(runs: list[NewRun]) -> int:
    """How many bytes the largest payload has."""
    return max((len(max(new.payloads, key=len)) for new in runs), default=0)
