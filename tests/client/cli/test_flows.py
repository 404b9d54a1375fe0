"""``tq flow``: what it prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import tq
from click.testing import CliRunner
from tq.client.cli import main
from tq.client.cli.flows import _cells, _facts, _in_words, _print, check_reached, retry_from
from tq.client.flows.progress import progress_of
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument

from tests.client.flows.test_graph import id_of, row

SHOWN: dict[str, Any] = {
    "id": "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b", "name": "nightly", "state": "failed", "run": 2, "total": 1_234, "succeeded": 1_200,
    "failed": 30, "cancelled": 4, "running": 0, "reason": "", "first_failure": "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2c",
    "on_error": "collect", "is_ending": False, "key": "k", "created": 1_700_000_000.0, "finished": 1_700_000_060.0,
}  # fmt: skip


def test_a_row_of_the_list_has_counts_and_leaves_out_zeros() -> None:
    cells = _cells(SHOWN)
    assert cells[:7] == (SHOWN["id"], "nightly", "failed", "1,234", "1,234", "30", "")


def test_its_facts_name_what_waits_and_the_first_that_failed() -> None:
    facts = dict(_facts({**SHOWN, "state": "running", "cancelled": 0, "finished": None, "running": 1}))
    assert facts["tasks"] == "1,234: 1,200 succeeded, 30 failed, 1 running, 3 wait"
    assert facts["failed"].startswith(f"first {SHOWN['first_failure']}; tq show")
    assert facts["on error"] == "its other tasks go on"
    assert "took" not in facts
    assert dict(_facts(SHOWN))["took"] == "60.0 s"
    assert dict(_facts({**SHOWN, "state": "cancelled", "reason": "no more"}))["state"] == "cancelled: no more"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "nightly has failed: 1,234 of 1,234 tasks have ended\n"),
        (
            {"state": "running", "finished": None, "failed": 0},
            "nightly runs: 1,204 of 1,234 tasks have ended\n",
        ),
        ({"state": "running", "finished": None, "is_ending": True}, "nightly is being ended: 1,234 of 1,234"),
        ({"state": "cancelled", "name": ""}, f"{SHOWN['id']} was cancelled: 1,234 of"),
    ],
)
def test_after_a_command_one_sentence_says_how_far_it_is(
    fields: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print({**SHOWN, **fields}, as_json=False)
    assert capsys.readouterr().out.startswith(words)


def test_the_bar_says_what_runs_and_what_failed() -> None:
    assert _in_words(progress_of({**SHOWN, "state": "running", "running": 2})) == "2 running, 30 failed"


def test_a_mistyped_command_is_answered_by_the_nearest() -> None:
    done = CliRunner().invoke(main, ["flow", "list"])
    assert "there is no command 'list'; did you mean ls?" in done.output


class InterruptedFlow:
    """A flow whose watcher presses Ctrl-C."""

    id = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"

    def wait(self, timeout: float | None = None) -> bool:
        raise KeyboardInterrupt


def test_ctrl_c_ends_a_watch_and_says_that_the_flow_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tq.App, "get_flow", lambda *_: InterruptedFlow())
    done = CliRunner().invoke(main, ["flow", "watch", "--url", "tq://127.0.0.1:9", InterruptedFlow.id])
    assert done.exit_code == 130
    assert f"goes on: `tq flow watch {InterruptedFlow.id}` follows it again" in done.output


def test_a_retry_from_a_task_on_names_all_that_runs_again_and_says_if_nothing_does() -> None:
    failed, done = int(StateNumber.FAILED), int(StateNumber.SUCCEEDED)
    rows = [row(1, "fetch", state=failed), row(2, "total", (1, 1), state=failed), row(3, "other", state=done)]
    asked: list[Any] = []

    def call(target: Any, method: str, *words: Any) -> Any:
        if method == "graph":
            return {"rows": rows, "place": None}
        asked.append((target, method, words))
        return [[one, 0] for one in words[0]]

    app: Any = SimpleNamespace(call=call)
    flow: Any = SimpleNamespace(flow_id=b"f" * 16)
    assert retry_from(app, flow, id_of(1)) == 2
    assert asked == [(("get_tasks",), "retry", ([id_of(1), id_of(2)],))]
    with pytest.raises(InvalidArgument, match="none runs again"):
        check_reached(retry_from(app, flow, id_of(3)))
