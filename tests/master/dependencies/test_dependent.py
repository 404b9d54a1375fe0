from __future__ import annotations

from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import StateNumber
from tq.common.values.failure import Failure
from tq.master.dependencies.dependent import UNKNOWN, Culprit, dependency_failed

ID, ROOT = new_ids(), new_ids()


def said(culprit: Culprit, missed: int = 1, needed: int = 1, minimum: int = 1) -> Failure:
    return Failure.decode(dependency_failed(culprit, missed, needed, minimum))


def test_a_failure_names_the_task_its_state_and_the_first_line_of_its_error() -> None:
    body = Failure("ValueError", "no such page\nand more").encode()
    failed = said(Culprit(ID, "m:f", StateNumber.FAILED, body))
    assert failed.message == f"m:f {show_id(ID)} failed: ValueError: no such page"
    assert said(Culprit(ID, "m:f", StateNumber.CANCELLED, None)).message == f"m:f {show_id(ID)} is cancelled"
    assert said(Culprit(ID, "", UNKNOWN, None)).message == f"a task {show_id(ID)} was deleted"


def test_how_many_did_not_succeed_is_said_of_several() -> None:
    culprit = Culprit(ID, "m:f", StateNumber.EXPIRED, None)
    assert said(culprit, 3, 1_000, 1_000).message.endswith(
        "is expired (3 of the 1,000 tasks that it needs did not succeed)"
    )
    assert said(culprit, 3, 4, 2).message.endswith("did not succeed, and 2 must succeed)")


def test_of_a_chain_the_first_cause_is_named_by_all() -> None:
    first = dependency_failed(Culprit(ROOT, "m:f", StateNumber.FAILED, None), 1, 1, 1)
    second = said(Culprit(ID, "m:g", StateNumber.FAILED, first))
    assert second.message.startswith(f"m:g {show_id(ID)} was not run: m:f {show_id(ROOT)} failed")
    assert second.detail["culprit"] == show_id(ROOT)
