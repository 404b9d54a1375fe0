"""The page ``/metrics``: families of samples as text, made at most once a second and outside the loop; also as OpenMetrics, which alone has
exemplars.

``take`` runs on the loop, quickly, and returns the families; writing them out is the expensive part and is done in a thread.
Nothing else of the library is used: no global registry, and none of its counters but those of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from .histogram import Buckets
from .http import Page

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CACHED_SECONDS: Final = 1.0  # so that asking often costs no more than asking now and then
MISSING: Final = (
    "there are no metrics without the library that writes them; install it: pip install 'tq[metrics]'\n"
)
Label = tuple[str, ...]


class Exemplar(NamedTuple):
    """What stands for a bucket of a histogram: its labels, and its value."""

    labels: dict[str, str]
    value: float


Exemplars = Mapping[Label, Mapping[int, Exemplar]]  # of each series, by the place of the bucket
NO_EXEMPLARS: Final[Exemplars] = MappingProxyType({})


def is_available() -> bool:
    """Whether ``tq[metrics]`` is installed."""
    import importlib.util

    return importlib.util.find_spec("prometheus_client") is not None


async def missing() -> Page:
    return Page(MISSING, HTTPStatus.NOT_IMPLEMENTED)


class Exposition:
    """Makes the pages. ``take``: the families, as of now."""

    def __init__(self, take: Callable[[], Awaitable[list[Metric]]]) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector, exposition
        from prometheus_client.openmetrics import exposition as open_exposition

        self._take = take
        self._process = ProcessCollector(registry=CollectorRegistry())
        self._plain = _Format(exposition.generate_latest, exposition.CONTENT_TYPE_LATEST)
        self._open = _Format(open_exposition.generate_latest, open_exposition.CONTENT_TYPE_LATEST)

    async def page(self) -> Page:
        return await self._made(self._plain)

    async def open_page(self) -> Page:
        """As OpenMetrics."""
        return await self._made(self._open)

    async def _made(self, form: _Format) -> Page:
        loop = asyncio.get_running_loop()
        async with form.making:
            if form.page is None or loop.time() - form.made >= CACHED_SECONDS:
                families = await self._take()
                text = await loop.run_in_executor(None, self._write, form, families)
                form.page, form.made = Page(text, content_type=form.content_type), loop.time()
        return form.page

    def _write(self, form: _Format, families: list[Metric]) -> str:
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot([*families, *self._process.collect()]))
        return form.write(registry).decode()


class _Format:
    """A way to write a page, and the page that was made last."""

    def __init__(self, write: Callable[..., bytes], content_type: str) -> None:
        self.write, self.content_type = write, content_type
        self.page: Page | None = None
        self.made = 0.0
        self.making = asyncio.Lock()


class _Snapshot:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def counter(name: str, help: str, labels: Label, values: Iterable[tuple[Label, float]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, help, labels=labels)
    for label, value in values:
        family.add_metric(label, value)
    return family


def gauge(name: str, help: str, labels: Label, values: Iterable[tuple[Label, float]]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, help, labels=labels)
    for label, value in values:
        family.add_metric(label, value)
    return family


def histogram(
    name: str,
    help: str,
    labels: Label,
    values: Iterable[tuple[Label, Buckets]],
    exemplars: Exemplars = NO_EXEMPLARS,
) -> Metric:
    from prometheus_client.core import Exemplar as WrittenExemplar
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, help, labels=labels)
    for label, buckets in values:
        of_it = exemplars.get(label, {})
        rows = [
            (*row, WrittenExemplar(*of_it[place])) if place in of_it else row
            for place, row in enumerate(buckets.cumulative())
        ]
        family.add_metric(label, buckets=rows, sum_value=buckets.sum)
    return family
