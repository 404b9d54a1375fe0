"""The page ``/metrics``: families of samples as text, made at most once a second and outside the loop.

``take`` runs on the loop, quickly, and returns the families; writing them out is the expensive part and is done in a thread.
Nothing else of the library is used: no global registry, and none of its counters but those of the process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from .histogram import Buckets
from .http import Page

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CACHED_SECONDS: Final = 1.0  # so that asking often costs no more than asking now and then
MISSING: Final = (
    "there are no metrics without the library that writes them; install it: pip install 'tq[metrics]'\n"
)
Label = tuple[str, ...]


def is_available() -> bool:
    """Whether ``tq[metrics]`` is installed."""
    import importlib.util

    return importlib.util.find_spec("prometheus_client") is not None


async def missing() -> Page:
    return Page(MISSING, HTTPStatus.NOT_IMPLEMENTED)


class Exposition:
    """Makes the page. ``take``: the families, as of now."""

    def __init__(self, take: Callable[[], Awaitable[list[Metric]]]) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import CONTENT_TYPE_LATEST

        self._take, self._content_type = take, CONTENT_TYPE_LATEST
        self._process = ProcessCollector(registry=CollectorRegistry())
        self._page: Page | None = None
        self._made = 0.0
        self._making = asyncio.Lock()

    async def page(self) -> Page:
        loop = asyncio.get_running_loop()
        async with self._making:
            if self._page is None or loop.time() - self._made >= CACHED_SECONDS:
                families = await self._take()
                text = await loop.run_in_executor(None, self._write, families)
                self._page, self._made = Page(text, content_type=self._content_type), loop.time()
        return self._page

    def _write(self, families: list[Metric]) -> str:
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot([*families, *self._process.collect()]))
        return generate_latest(registry).decode()


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


def histogram(name: str, help: str, labels: Label, values: Iterable[tuple[Label, Buckets]]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, help, labels=labels)
    for label, buckets in values:
        family.add_metric(label, buckets=buckets.cumulative(), sum_value=buckets.sum)
    return family
