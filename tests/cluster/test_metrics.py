"""What /metrics of the real programs says, and that page, dashboard and alerts speak of nothing else."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import tq
import yaml
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from xprocess import XProcess

from .programs import TASKS_FILE, Master, Program, Worker, eventually

ROOT = Path(__file__).parents[2]
METRIC = re.compile(r"\b(?:tq|process)_[a-z_]+\b")
Families = dict[str, Metric]


def families(program: Program) -> Families:
    found = re.findall(r"http\.started .*address=(\S+)", program.log)
    with urllib.request.urlopen(f"http://{found[-1]}/metrics", timeout=10) as answer:
        return {one.name: one for one in text_string_to_metric_families(answer.read().decode())}


def opened(program: Program) -> Families:
    """The same as OpenMetrics, as its own parser reads it."""
    found = re.findall(r"http\.started .*address=(\S+)", program.log)
    wanted = {"Accept": "application/openmetrics-text; version=1.0.0"}
    with urllib.request.urlopen(
        urllib.request.Request(f"http://{found[-1]}/metrics", headers=wanted), timeout=10
    ) as answer:
        return {one.name: one for one in openmetrics_families(answer.read().decode())}


def orders(program: Program) -> set[str]:
    samples = opened(program)["tq_task_run_seconds"].samples
    return {one.exemplar.labels["order"] for one in samples if one.exemplar is not None}


def value(given: Families, sample: str, **labels: str) -> float:
    return sum(
        one.value
        for family in given.values()
        for one in family.samples
        if one.name == sample and labels.items() <= one.labels.items()
    )


def full_name(family: Metric) -> str:
    """As one writes it in a query and as the page lists it: a counter's with its ending."""
    return f"{family.name}_total" if family.type == "counter" else family.name


@pytest.fixture(scope="module")
def pages(
    xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterable[tuple[Families, Families]]:
    """The metrics of a master and a worker after some work."""
    home = tmp_path_factory.mktemp("metrics")
    master = Master(xprocess, home, "--http", "127.0.0.1:0")
    try:
        master.start()
        worker = Worker(
            xprocess, home, master.address, master.authkey, "--slots", 2, "--http", "127.0.0.1:0", TASKS_FILE
        )
        try:
            worker.start()
            with tq.App(master.url, master.authkey) as app:
                echo = app.named("cluster_tasks:echo", tags={"order": "4711"})
                assert sum(echo.map(range(50)).results()) == 1_225
                app.named("unserved:task").submit()
            eventually(lambda: value(families(worker), "tq_worker_attempts_total") == 50)
            eventually(
                lambda: value(families(worker), "tq_worker_children") == 2
            )  # one may do all before the other is up
            eventually(lambda: value(families(master), "tq_queue_oldest_ready_seconds") > 0)
            # In the format that alone has them: a task and its tags for a bucket.
            eventually(lambda: orders(master) == {"4711"})
            yield families(master), families(worker)
        finally:
            worker.end()
    finally:
        master.end()


def test_a_master_counts_tasks_by_queue_name_and_state(pages: tuple[Families, Families]) -> None:
    master, _ = pages
    echo = {"queue": "default", "task": "cluster_tasks:echo"}
    assert value(master, "tq_tasks_submitted_total", **echo) == 50
    assert value(master, "tq_tasks_started_total", **echo) == 50
    assert value(master, "tq_tasks_finished_total", **echo, state="succeeded") == 50
    assert value(master, "tq_tasks", **echo, state="succeeded") == 50
    assert value(master, "tq_tasks", task="unserved:task", state="ready") == 1
    assert value(master, "tq_task_run_seconds_count", **echo) == 50
    assert value(master, "tq_task_wait_seconds_count", **echo) == 50
    assert value(master, "tq_commit_seconds_count") > 0
    assert value(master, "tq_workers", state="connected") == 1
    assert value(master, "tq_slots") == 2
    assert value(master, "tq_store_bytes") > 0
    assert value(master, "tq_disk_free_bytes") > 0


def test_a_worker_counts_what_was_acknowledged(pages: tuple[Families, Families]) -> None:
    _, worker = pages
    assert value(worker, "tq_worker_attempts_total", outcome="success") == 50
    assert value(worker, "tq_worker_run_seconds_count") == 50
    assert value(worker, "tq_worker_connected") == 1
    assert value(worker, "tq_worker_children") == 2


def test_the_page_lists_every_metric_with_type_and_labels(pages: tuple[Families, Families]) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([\w, ]*)\| .+ \|$", text, re.MULTILINE)
    listed = {name: (kind, set(filter(None, labels.strip().split(", ")))) for name, kind, labels in rows}
    served = {full_name(one): one for page in pages for one in page.values()}
    ours = {name for name in served if name.startswith("tq_")}
    assert {name for name in listed if name.startswith("tq_")} == ours
    for name, family in served.items():
        kind, labels = listed[name]
        assert kind == family.type, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, name


def test_dashboard_and_alerts_speak_only_of_metrics_that_there_are(pages: tuple[Families, Families]) -> None:
    known = {full_name(one) for page in pages for one in page.values()}
    known |= {
        f"{one.name}_{end}"
        for page in pages
        for one in page.values()
        if one.type == "histogram"
        for end in ("bucket", "sum", "count")
    }
    known |= {
        one for one in METRIC.findall((ROOT / "docs" / "metrics.md").read_text()) if one[:8] == "process_"
    }
    rules = yaml.safe_load((ROOT / "configs" / "prometheus" / "alerts.yml").read_text("utf-8"))
    dashboard = json.loads((ROOT / "configs" / "grafana" / "tq.json").read_text("utf-8"))
    for expression in [*expressions(rules), *expressions(dashboard)]:
        names = set(METRIC.findall(re.sub(r'"[^"]*"', "", expression)))
        assert names or expression.startswith("up{"), expression
        assert names <= known, expression


def expressions(document: Any) -> list[str]:
    """Every ``expr`` and every query of a variable, wherever it stands."""
    if isinstance(document, list):
        return [found for one in document for found in expressions(one)]
    if isinstance(document, dict):
        own = [document[name] for name in ("expr", "definition") if name in document]
        return own + [found for one in document.values() for found in expressions(one)]
    return []


def test_without_the_library_the_page_says_how_to_get_it() -> None:
    import asyncio

    from tq.common.runtime.exposition import missing

    page = asyncio.run(missing())
    assert page.status == 501
    assert "pip install 'tq[metrics]'" in page.body
