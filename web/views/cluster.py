"""The cluster as a whole: the master that serves, who is connected in which version, and what `tq doctor` finds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from ...client.cli.doctor import cluster as doctor
from ...client.cli.doctor.judging import brief
from ...client.cli.fleet import Fleet, fleet
from ...client.cli.masters import for_programs, of_cluster, state
from ...client.cli.output import with_moments
from ...common.contract.observe import MASTER, MasterRow
from ...common.contract.workers import WORKERS
from ...common.domain.model import Role
from ...common.errors import Forbidden, TqError
from ...common.runtime.checkup import Checkup, Finding
from ...common.version import VERSION
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

LIVE_SECONDS: Final = 5.0  # the watcher does not see how many are connected
EXAMINED: Final = "examined"  # the name under which a log-in keeps what was found


class Examined(NamedTuple):
    """What `tq doctor` finds from where the page runs, but for the task that it sends. ``at``: Unix seconds."""

    at: float
    findings: Sequence[Finding]


class VersionRow(NamedTuple):
    """``who``: what has this version; ``differs``: from the master's."""

    who: str
    version: str
    connected: int
    differs: bool


def cluster(login: Login, asked: ViewRequest) -> ShownPage:
    info = login.app.call((MASTER.name,), "info")
    workers = fleet(login.app.call((WORKERS.name,), "list"))
    masters = of_cluster(login.app)
    found: Examined | None = login.answers.get(EXAMINED, (0.0, None))[1]
    return ShownPage(
        title="Cluster",
        template="cluster.html",
        command="tq doctor",
        every=LIVE_SECONDS,
        rows=lambda: _rows_for_file(masters, versions(info, workers), found),
        context={
            "info": info,
            "versions": versions(info, workers),
            "masters": masters,
            "serving": next((one.address for one in masters if one.serves), ""),
            "state": state,
            "connected": sum(row["connected"] for row in workers.living),
            "examined": found,
            "brief": brief,
        },
    )


def _rows_for_file(
    masters: Sequence[MasterRow], versions: Sequence[VersionRow], found: Examined | None
) -> list[dict[str, Any]]:
    """The three tables as one; ``kind``: of which a row is."""
    rows = with_moments([for_programs(one) for one in masters])
    return [
        *({"kind": "master", **row} for row in rows),
        *({"kind": "version", **row._asdict()} for row in versions),
        *({"kind": "finding", **asdict(row)} for row in (found.findings if found else ())),
    ]


def versions(info: Mapping[str, Any], workers: Fleet) -> list[VersionRow]:
    """Of the master, of this page, and of the workers of the last hour: clients do not say theirs."""
    master = str(info["version"])
    rows = [
        VersionRow("the master", master, 1, False),
        VersionRow("this page", VERSION, 1, master != VERSION),
    ]
    for who, found in (("workers", workers.living), ("absent workers", workers.absent)):
        counted = Counter(str(row["version"]) for row in found)
        rows += [
            VersionRow(who, version, count, version != master) for version, count in counted.most_common()
        ]
    return rows


def examine(login: Login, asked: ViewRequest) -> Done:
    """Look at everything that `tq doctor` looks at, in its words. A disk that is measured is written to, so it is done when it is asked
    for."""
    if not login.may(Role.CLIENT):
        raise Forbidden("this key is a viewer key, and what is measured writes to the master's disk")
    found = Checkup()
    if doctor.look_at_key(found, login.app) is not None:
        try:
            doctor.look_at_master(found, login.app)
        except (TqError, TimeoutError) as error:
            found.fail("master", str(error))
    login.keep(EXAMINED, Examined(time.time(), found.findings))
    return Done()
