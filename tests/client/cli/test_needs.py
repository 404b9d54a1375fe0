from __future__ import annotations

import pytest
from tq.client.cli.needs import needs_for_programs, print_needs
from tq.common.domain.ids import new_ids, show_id

ID = new_ids()


def test_needs_are_lines_with_their_states(capsys: pytest.CaptureFixture[str]) -> None:
    print_needs(
        {
            "needs": [[ID, 1_000, "web", "jobs:fetch", [[0, 3], [10, 997]]]],
            "needed_by": [[ID, 1, "default", "jobs:report", [[2, 1]]]],
            "became": [[ID, 1, "default", "jobs:next", [[0, 1]]]],
            "became_it": [[ID, 1, "default", "jobs:last", [[2, 1]]]],
        }
    )
    assert capsys.readouterr().out.splitlines() == [
        f"  needs {show_id(ID)} and 999 behind it  jobs:fetch in queue web: 3 ready, 997 succeeded",
        f"  needed by {show_id(ID)}  jobs:report in queue default: blocked",
        f"  became {show_id(ID)}  jobs:next in queue default: ready",
        f"  became this: {show_id(ID)}  jobs:last in queue default: blocked",
    ]


def test_programs_get_the_same() -> None:
    shown = needs_for_programs({"needs": [[ID, 1, "web", "jobs:fetch", [[11, 1]]]], "needed_by": []})
    row = {"id": show_id(ID), "tasks": 1, "queue": "web", "name": "jobs:fetch", "states": {"failed": 1}}
    assert shown == {"needs": [row], "needed_by": [], "became": [], "became_it": []}
