"""How one job of many is run: on the loop, in a thread, and what is imported for it first."""

from __future__ import annotations

from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode

from ..pools.test_interface import KINDS, with_child
from ..pools.test_process import Nursery


def test_a_coroutine_that_is_imported_for_its_first_job_runs_on_the_loop() -> None:
    async def test(one: Nursery) -> None:
        for _ in range(2):
            report = await one.run_chunk("asyncio.tasks:sleep", [(0, "slept")], star=True)
            assert (report.outcome, decode(report.body or b"")) == (OutcomeNumber.SUCCESS, ["slept"])

    with_child(KINDS["async"], test, allow=("asyncio.tasks.*",))


def test_functions_and_coroutines_run_side_by_side() -> None:
    async def test(one: Nursery) -> None:
        ordinals = one.send(("meet", 2), ("meet_later", 2))
        for ordinal in ordinals:
            assert (await one.report(ordinal)).outcome == OutcomeNumber.SUCCESS

    with_child(KINDS["async"], test)
