"""What one look at many tasks compares with a filter, and what that costs. Reads only.

What tasks have in common is compared once: a route by its names, a lane by its tenant, the options of a submit by their tags, a worker by its
host. What differs from task to task of an array stands in columns beside it: see ``array_tags`` and ``array_tenants``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from ...common.domain.globs import STEPS_OF_ROW, fits_any, glob
from ...common.domain.model import StateNumber
from ...common.values.failure import Failure
from ...common.wire.frames import unpack
from ..engine.engine import Engine
from ..engine.work import ROW_BYTES
from ..store.interface.lines import Span
from ..store.interface.workers import WorkerName
from .array_tags import ArrayTagsLook
from .array_tenants import ArrayTenantsLook
from .routes import Routes
from .wanted import Selection

FAILED: Final = frozenset({StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST})  # states with a failure
OPTIONS_KNOWN_MAX: Final = 5_000  # of different tags, compared once in a portion
WORKERS_OF_ROW: Final = 10  # whose names are read in the time of a row
GLANCED_MAX: Final = 2_000  # names times patterns that are compared before the first row is read


class Look:
    """The rows and names that one portion compares, and their cost in rows."""

    def __init__(
        self, engine: Engine, wanted: Selection, allows: Callable[[str], bool], origin: int | None = None
    ) -> None:
        """``origin``: of the tasks of the flow that is wanted."""
        self._engine, self.wanted, self._allows, self.origin = engine, wanted, allows, origin
        self._routes: dict[int, bool] = {}  # each route is compared once, when its first task is met
        self._queues: dict[str, bool] = {}
        self._tags: dict[bytes | None, bool] = {None: not wanted.tags}  # by the options that have them
        self._lanes: dict[int, bool] = {}
        self._workers: dict[int | None, bool] = {None: not wanted.asks_for_worker}  # by their numbers
        self._arrays, self._tenants = ArrayTagsLook(engine.store), ArrayTenantsLook(engine.store)
        self._steps = 0  # spent on comparing names with patterns
        self._bytes = 0  # of failures that were read
        self.rows = 0

    def finds_nothing(self) -> bool:
        """Whether no queue, no tenant or no worker matches, if that is cheap to find out: then no row needs to be read."""
        routes, wanted = self._engine.part(Routes), self.wanted
        tenants = routes.tenants.names()
        return (
            _fits_none(routes.queues, wanted.queues, self._fits_queue)
            or (bool(wanted.tenants) and _fits_none(tenants, wanted.tenants, self._fits_tenant))
            or (wanted.asks_for_worker and self._fits_no_worker())
        )

    def _fits_no_worker(self) -> bool:
        """False also if it would take long to know."""
        patterns = len(self.wanted.hosts) + len(self.wanted.workers)
        known = self._engine.store.worker_names(GLANCED_MAX // patterns + 1)
        self.rows += len(known) // WORKERS_OF_ROW
        if len(known) * patterns > GLANCED_MAX:
            return False
        self._workers |= {number: self._is_meant(worker) for number, worker in known.items()}
        return not any(self._workers.values())

    def _is_meant(self, worker: WorkerName) -> bool:
        return self._fits(worker.host, self.wanted.hosts) and self._fits(
            worker.node.hex(), self.wanted.workers
        )

    @property
    def cost(self) -> int:
        arrays, tenants = self._arrays, self._tenants
        read = self._bytes + arrays.bytes + tenants.bytes
        return self.rows + arrays.cost + tenants.cost + self._steps // STEPS_OF_ROW + read // ROW_BYTES

    def fits_route(self, number: int) -> bool:
        fits = self._routes.get(number)
        if fits is None:
            route, wanted = self._engine.part(Routes).by_number[number], self.wanted
            # The key first: what it may not see costs no comparison with patterns, and nothing shows that it is there.
            fits = self._fits_queue(route.queue.name) and self._fits(route.task, wanted.names)
            self._routes[number] = fits
        return fits

    def fits_lane(self, number: int) -> bool:
        """Whether its tenant matches. Tasks of the mixed lane, or that have left it, have each their own: see ``pieces``."""
        if not self.wanted.tenants:
            return True
        fits = self._lanes.get(number)
        if fits is None:
            key = self._engine.part(Routes).by_number[number].key
            fits = self._lanes[number] = self._may_differ(number) or self._fits_tenant(key.tenant)
        return fits

    def fits_worker(self, number: int | None) -> bool:
        """Whether the worker of a task matches, by the number that the store has of it."""
        fits = self._workers.get(number)
        if fits is None and number is not None:
            self.rows += 1
            worker = self._engine.store.worker_name(number)
            fits = self._workers[number] = worker is not None and self._is_meant(worker)
        return bool(fits)

    def within_ids(self, span: Span) -> Span:
        """The part of it that has ids of the filter; it may be empty."""
        if self.wanted.ids is None:
            return span
        first, end = self.wanted.ids
        behind = span.seq - int.from_bytes(span.id, "big")  # what an id and its task's number differ by
        return span.between(first + behind, end + behind)

    def fits_origin(self, origin: int | None) -> bool:
        return self.origin is None or self.origin == origin

    def pieces(self, span: Span) -> Iterator[Span]:
        """The parts of it that match in what its tasks share, and in what they may differ, newest first."""
        if self.fits_lane(span.route) and self.fits_worker(span.worker):
            if self.wanted.tenants and self._may_differ(span.route):
                alone = self._engine.part(Routes).by_number[span.route].key.tenant
                for piece in self._tenants.pieces(span, self._fits_tenant, alone):
                    yield from self._tagged(piece)
            else:
                yield from self._tagged(span)

    def _tagged(self, span: Span) -> Iterator[Span]:
        """Tasks of an array share all tags but arguments that are indexed."""
        if self._arrays.differ(span.seq, self.wanted.tags):
            shared = unpack(span.options).get("tags", {}) if span.options else {}
            yield from self._arrays.pieces(
                span, self.wanted.tags, self._fits, lambda wanted: self._tags_fit(shared, wanted)
            )
        elif self.fits_tags(span.options):
            yield span

    def indexed(self, seq: int) -> dict[str, list[str]]:
        """Some texts that tasks of the array of this one are found by, by name."""
        return self._arrays.some_texts(seq)

    def differ(self, seq: int, route: int) -> bool:
        """Whether tasks that were accepted together with this one may differ in what is wanted, besides their states."""
        return (
            self.wanted.asks_for_worker
            or (bool(self.wanted.tenants) and self._may_differ(route))
            or self._arrays.differ(seq, self.wanted.tags)
        )

    def _may_differ(self, number: int) -> bool:
        """Whether tasks of an array that has one in this lane may have different tenants: a strike may have taken it out of a mixed lane."""
        key = self._engine.part(Routes).by_number[number].key
        return key.is_mixed or bool(key.strikes)

    def fits_tags(self, options: bytes | None) -> bool:
        """Whether the tags among the options of a task match. Tasks of one array, and mostly those of one program, share them."""
        if not self.wanted.tags:
            return True
        fits = self._tags.get(options)
        if fits is None and options is not None:
            fits = self._tags_fit(unpack(options).get("tags", {}), self.wanted.tags)
            # Tags that differ from task to task must not fill the memory of one portion.
            if len(self._tags) < OPTIONS_KNOWN_MAX:
                self._tags[options] = fits
        return bool(fits)

    def _tags_fit(self, tags: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> bool:
        return all(name in tags and self._fits(tags[name], patterns) for name, patterns in wanted.items())

    def fits_failure(self, id: bytes, state: int) -> bool:
        if state not in FAILED:
            return False
        [found] = self._engine.store.outcomes([id])  # one by one: failures may be large
        self.rows += 1
        self._bytes += len(found.body or b"")
        failure, wanted = Failure.heading(found.body), self.wanted
        return self._fits(failure.type, wanted.errors) and (
            not wanted.text or wanted.text in f"{failure.type}: {failure.message}".casefold()
        )

    def _fits_queue(self, name: str) -> bool:
        fits = self._queues.get(name)
        if fits is None:
            fits = self._queues[name] = self._allows(name) and self._fits(name, self.wanted.queues)
        return fits

    def _fits_tenant(self, name: str) -> bool:
        return bool(name) and self._fits(name, self.wanted.tenants)

    def _fits(self, name: str, patterns: tuple[str, ...]) -> bool:
        self._steps += sum(glob(pattern).steps(name) for pattern in patterns)
        return not patterns or fits_any(name, patterns)


def _fits_none(names: Collection[str], patterns: tuple[str, ...], fits: Callable[[str], bool]) -> bool:
    """False also if it would take long to know."""
    return len(names) * max(1, len(patterns)) <= GLANCED_MAX and not any(map(fits, names))
