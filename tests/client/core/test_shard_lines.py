"""Routing calls to the lines of several shards. The lines are made by hand; no sockets."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, cast

import pytest
import tq
from tq.client.core import shard_lines
from tq.client.core.pending_calls import PendingCalls
from tq.client.core.shard_line import ShardLine
from tq.client.core.shard_lines import ShardLines, in_words
from tq.client.tasks.outcomes import OutcomeBox
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in, shard_of_name

SHARDS = 4
TASKS = ("get_tasks",)


class ManualLine:
    """A line that answers at once what the test says, or is away."""

    def __init__(self, answer: Callable[[str, Sequence[Any]], Any]) -> None:
        self.pending = PendingCalls("default")
        self.answer = answer
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.away_seconds = self.trying_seconds = 0.0
        self.silent_seconds = 0.0  # after a probe
        self.stands_still = self.is_slow = False
        self.probed = asyncio.Event()

    def probe(self) -> None:
        self.probed.set()
        if self.stands_still:
            self.silent_seconds = 30.0
        elif self.is_slow:
            self.is_slow = False
            asyncio.get_running_loop().call_later(0.05, self.flush)

    def flush(self) -> None:
        if self.away_seconds or self.stands_still or self.is_slow:
            return
        self.pending.connected()
        for call in self.pending.take_outgoing():
            if call.ticket is None:
                continue
            self.calls.append((call.method, tuple(call.args)))
            answer = self.answer(call.method, call.args)
            if isinstance(answer, tq.TqError):
                self.pending.refused(call.number, answer)
            else:
                self.pending.answered(call.number, answer)
        for ticket, value, error in self.pending.take_settled():
            shard_lines.settle(ticket, value, error)


class Lines:
    """Four shards, and what each answers."""

    def __init__(
        self, answer: Callable[[int, str, Sequence[Any]], Any] = lambda shard, method, args: None
    ) -> None:
        self.made: dict[int, ManualLine] = {}
        self._answer = answer
        self.shards = ShardLines(SHARDS, cast(ShardLine, self._new(0)), self._new, self._spawn)

    def _new(self, shard: int) -> ShardLine:
        self.made[shard] = ManualLine(lambda method, args: self._answer(shard, method, args))
        return cast(ShardLine, self.made[shard])

    @staticmethod
    def _spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    def call(self, target: Sequence[Any], method: str, *args: Any) -> Any:
        async def called() -> Any:
            future: Future[Any] = Future()
            self.shards.call(future, target, method, args, repeatable=True)
            for line in list(self.made.values()):
                line.flush()
            return await asyncio.wait_for(asyncio.wrap_future(future), 20)

        return asyncio.run(called())


def wait_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MISSING_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(shard_lines, name, 0.01)


def test_a_call_of_one_shard_makes_one_call_on_its_line_and_no_other_line() -> None:
    lines = Lines(lambda shard, method, args: shard)
    home = shard_of_name("{b}x", SHARDS)
    assert home != 0
    assert lines.call(("get_queue", "{b}x", "fifo"), "size") == home
    assert {shard: line.calls for shard, line in lines.made.items()} == {0: [], home: [("size", ())]}


def test_ids_of_several_shards_are_asked_for_where_they_are_and_answered_together() -> None:
    ids = [id_in(new_ids(), shard) for shard in (1, 2, 1)]
    lines = Lines(lambda shard, method, args: [[id, shard] for id in args[0]])
    rows = lines.call(TASKS, "cancel", ids, False)
    assert dict(rows) == {ids[0]: 1, ids[1]: 2, ids[2]: 1}
    assert lines.made[1].calls == [("cancel", ([ids[0], ids[2]], False))]
    assert lines.made[2].calls == [("cancel", ([ids[1]], False))]
    assert lines.made[0].calls == []


def test_a_list_has_what_all_shards_have() -> None:
    lines = Lines(lambda shard, method, args: [{"name": f"q{shard}"}])
    assert [row["name"] for row in lines.call(("get_queues",), "list")] == ["q0", "q1", "q2", "q3"]
    assert lines.shards.missing == frozenset()


def test_a_list_is_answered_without_a_shard_that_is_away_and_names_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wait_shortly(monkeypatch)
    lines = Lines(lambda shard, method, args: [{"name": f"q{shard}"}])
    lines.shards.line(2)
    lines.made[2].away_seconds = 3.0
    assert [row["name"] for row in lines.call(("get_queues",), "list")] == ["q0", "q1", "q3"]
    assert lines.shards.missing == {2}
    assert "shard 2 of 4 does not answer: what is there is left out" in caplog.text
    lines.made[2].away_seconds = 0.0
    assert len(lines.call(("get_queues",), "list")) == 4
    assert lines.shards.missing == frozenset()


def test_a_list_in_pages_is_answered_without_the_shards_that_are_away_and_names_them_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wait_shortly(monkeypatch)

    def page(shard: int, method: str, args: Sequence[Any]) -> Any:
        return {
            "rows": [{"id": b"%d" % shard, "created": shard}],
            "before": None,
            "states": [[3, 1]],
            "newest": 1,
        }

    lines = Lines(page)
    for shard in (1, 2):
        lines.shards.line(shard)
        lines.made[shard].away_seconds = 3.0
    assert [row["id"] for row in lines.call(TASKS, "select", None, 10, None)["rows"]] == [b"3", b"0"]
    assert lines.shards.missing == {1, 2}
    assert [record.getMessage()[:38] for record in caplog.records] == [
        "shards 1, 2 of 4 do not answer: what i"
    ]
    for shard in range(SHARDS):
        lines.shards.line(shard)
        lines.made[shard].away_seconds = 5.0
    with pytest.raises(tq.Unreachable, match="its master has been away for 5 s"):
        lines.call(TASKS, "select", None, 10, None)


def test_one_that_is_known_to_be_away_is_neither_waited_for_nor_asked_again_and_again() -> None:
    lines = Lines(lambda shard, method, args: [{"name": f"q{shard}"}])
    lines.shards.line(2)
    lines.made[2].away_seconds = lines.made[2].trying_seconds = 60.0
    for _ in range(3):
        assert len(lines.call(("get_queues",), "list")) == 3
    assert not lines.made[2].pending.has_work


def test_one_that_stands_still_is_left_out_and_not_asked_until_it_gives_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_shortly(monkeypatch)
    lines = Lines(lambda shard, method, args: [{"name": f"q{shard}"}])
    lines.shards.line(2)
    still = lines.made[2]
    still.stands_still = True
    for _ in range(3):
        assert [row["name"] for row in lines.call(("get_queues",), "list")] == ["q0", "q1", "q3"]
        assert lines.shards.missing == {2}
    assert len(still.pending.take_outgoing()) + len(still.calls) <= 1  # of the first list, not of the others
    still.stands_still, still.silent_seconds = False, 0.0
    assert len(lines.call(("get_queues",), "list")) == 4
    assert lines.shards.missing == frozenset()


def test_one_that_is_slow_and_gives_signs_of_life_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_shortly(monkeypatch)
    lines = Lines(lambda shard, method, args: [{"name": f"q{shard}"}])
    lines.shards.line(2)
    lines.made[2].is_slow = True
    assert len(lines.call(("get_queues",), "list")) == 4
    assert not lines.made[2].is_slow  # it was probed


def test_while_none_answers_none_is_said_to_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_shortly(monkeypatch)
    lines = Lines(lambda shard, method, args: [{"name": f"q{shard}"}])
    for shard in range(SHARDS):
        lines.shards.line(shard)
        lines.made[shard].stands_still = True

    async def listed() -> list[dict[str, Any]]:
        future: Future[Any] = Future()
        lines.shards.call(future, ("get_queues",), "list", (), repeatable=True)
        await asyncio.wait_for(lines.made[SHARDS - 1].probed.wait(), 20)  # the last of them
        assert not future.done()
        for line in lines.made.values():  # the machine goes on
            line.stands_still, line.silent_seconds = False, 0.0
            line.flush()
        return cast(list[dict[str, Any]], await asyncio.wrap_future(future))

    assert len(asyncio.run(listed())) == SHARDS


def test_one_that_was_missing_and_is_tried_again_is_not_waited_for_a_second_time() -> None:
    lines = Lines()
    lines.shards.line(1)
    lines.made[1].trying_seconds = 0.1
    assert not lines.shards.is_known_missing(1)
    lines.shards.missing = frozenset({1})
    assert lines.shards.is_known_missing(1)
    assert not lines.shards.is_known_missing(2)


def test_what_no_shard_answers_is_an_error_and_no_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_shortly(monkeypatch)
    lines = Lines()
    for shard in range(SHARDS):
        lines.shards.line(shard)
        lines.made[shard].away_seconds = 5.0
    with pytest.raises(tq.Unreachable, match="its master has been away for 5 s"):
        lines.call(("get_queues",), "list")


def test_a_refusal_of_one_shard_is_the_answer_of_a_list() -> None:
    lines = Lines(lambda shard, method, args: tq.Forbidden("not yours") if shard == 3 else [])
    with pytest.raises(tq.Forbidden, match="not yours"):
        lines.call(("get_strikes",), "list")


def test_an_error_that_comes_after_the_refusal_of_another_shard_is_no_complaint_of_the_loop() -> None:
    refused, later = tq.InvalidArgument("no such filter"), tq.Unreachable("the app was closed")
    lines = Lines(lambda shard, method, args: refused if shard == 0 else later)
    complaints = list[dict[str, Any]]()

    async def called() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        for number in range(1, SHARDS):
            lines.shards.line(number)
            lines.made[number].is_slow = True
        future: Future[Any] = Future()
        lines.shards.call(future, TASKS, "lines", [None, 9], repeatable=True)
        with pytest.raises(tq.InvalidArgument, match="no such filter"):
            await asyncio.wait_for(asyncio.wrap_future(future), 20)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # as the loop of an app that is closed
        await asyncio.sleep(0)
        for line in lines.made.values():
            line.is_slow = False
            line.flush()
        for _ in range(9):
            await asyncio.sleep(0)
        gc.collect()

    asyncio.run(called())
    assert complaints == []


def test_a_change_that_one_shard_cannot_make_says_where_it_is_made() -> None:
    lines = Lines(lambda shard, method, args: tq.Unreachable("cut") if shard == 3 else None)
    with pytest.raises(tq.Unreachable, match="shard 3: cut; it is done in shard 0, 1, 2"):
        lines.call(("get_strikes",), "add", "name=m:f", "", None)
    row = {"name": "api", "key": "k", "declared": {}}
    lines = Lines(lambda shard, method, args: tq.Unreachable("cut") if shard == 3 else row)
    with pytest.raises(tq.Unreachable, match="shard 3: cut; it is done in shard 0, 1, 2"):
        lines.call(("get_limits",), "set", "api", {})
    with pytest.raises(tq.Unreachable, match=r"^shard 3: cut(\n|$)"):
        lines.call(("get_limits",), "show", "api")


def test_an_answer_of_another_form_is_an_error_and_ends_no_thread() -> None:
    lines = Lines(lambda shard, method, args: 7)
    with pytest.raises(tq.ProtocolError, match="cannot be put together"):
        lines.call(("get_workers",), "list")


def test_an_id_of_another_cluster_fails_its_own_call_alone() -> None:
    lines = Lines(lambda shard, method, args: "shown")
    with pytest.raises(tq.UnknownTask, match="a task of another cluster"):
        lines.call(TASKS, "show", id_in(new_ids(), 9))
    assert lines.call(TASKS, "show", id_in(new_ids(), 3)) == "shown"
    box = OutcomeBox()
    lines.shards.watch(box, [IdRun(id_in(new_ids(), 9), 1)])
    with pytest.raises(tq.UnknownTask):
        box.wait(1, 5)


def test_tasks_are_watched_and_forgotten_where_they_are() -> None:
    lines, box = Lines(), OutcomeBox()
    lines.shards.watch(box, [IdRun(id_in(new_ids(), 1), 2), IdRun(id_in(new_ids(), 3), 1)])
    assert {shard: line.pending.watched_tasks for shard, line in lines.made.items()} == {0: 0, 1: 2, 3: 1}
    lines.shards.forget(box)
    assert not any(line.pending.watched_tasks for line in lines.made.values())


def test_a_call_is_away_as_long_as_its_own_shard_is() -> None:
    lines = Lines()
    lines.shards.line(1), lines.shards.line(2)
    lines.made[1].away_seconds = 40.0
    here, there = Future[Any](), Future[Any]()
    lines.shards.call(there, TASKS, "show", (id_in(new_ids(), 1),), repeatable=True)
    lines.shards.call(here, TASKS, "show", (id_in(new_ids(), 2),), repeatable=True)
    assert (lines.shards.away_of(there), lines.shards.away_of(here)) == (40.0, 0.0)
    assert (lines.shards.away_from(1), lines.shards.away_from(2)) == (40.0, 0.0)


def test_one_shard_and_several_that_are_missing_are_said_in_words() -> None:
    assert in_words(frozenset({2}), 4).startswith("shard 2 of 4 does not answer")
    assert in_words(frozenset({1, 3}), 4).startswith("shards 1, 3 of 4 do not answer")
