"""Where a transaction is committed: here while the disk is quick and the transaction small, else in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from tq.common.errors import StoreError
from tq.master.engine.committer import FEW_CALLS_MAX, FEW_TIMES, FORGET, HERE_BYTES_MAX, Committer

MANY = FEW_CALLS_MAX + 1  # calls in a transaction
QUICK = 60.0  # no commit of these tests takes so long: where it is made depends on nothing else


def with_committer(
    commit: Callable[[], None], use: Callable[[Committer], object], here_seconds_max: float = QUICK
) -> None:
    async def run() -> None:
        committer = Committer(asyncio.get_running_loop(), commit, here_seconds_max)
        try:
            result = use(committer)
            if asyncio.iscoroutine(result):
                await result
        finally:
            committer.close()

    asyncio.run(run())


async def there(committer: Committer) -> StoreError | None:
    done: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()
    committer.commit_there(done.set_result)
    return await done


def test_the_first_commit_is_made_in_the_thread_for_the_disk_is_unknown() -> None:
    with_committer(lambda: None, lambda committer: check(not committer.may_commit_here(MANY, 0)))


def check(condition: bool) -> None:
    assert condition


def test_after_quick_commits_small_transactions_are_committed_here() -> None:
    threads: list[threading.Thread] = []

    async def use(committer: Committer) -> None:
        assert await there(committer) is None
        assert committer.may_commit_here(MANY, HERE_BYTES_MAX)
        assert not committer.may_commit_here(MANY, HERE_BYTES_MAX + 1)
        assert committer.commit_here() is None
        assert threads[0] is not threading.current_thread()
        assert threads[1] is threading.current_thread()

    with_committer(lambda: threads.append(threading.current_thread()), use)


def test_a_slow_commit_sends_the_next_ones_to_the_thread_for_a_while() -> None:
    pauses = [0.0, 0.05]

    async def use(committer: Committer) -> None:
        await there(committer)
        assert committer.may_commit_here(MANY, 0)
        await there(committer)
        commits = 0
        while not committer.may_commit_here(MANY, 0):
            await there(committer)
            commits += 1
        assert commits > 10  # the slow one is forgotten by and by: 0.98 to the power of so many
        assert 0.05 * FORGET**commits < 0.03

    with_committer(
        lambda: threading.Event().wait(pauses.pop(0)) if pauses else None, use, here_seconds_max=0.03
    )


def test_few_calls_are_committed_here_on_a_disk_on_which_many_are_committed_in_the_thread() -> None:
    async def use(committer: Committer) -> None:
        await there(committer)
        assert not committer.may_commit_here(MANY, 0)
        assert committer.may_commit_here(FEW_CALLS_MAX, 0)
        assert not committer.may_commit_here(FEW_CALLS_MAX, HERE_BYTES_MAX + 1)

    # A commit takes longer than one of many calls may take here, a quarter of a second, and less than one of few.
    with_committer(lambda: wait(0.3), use, here_seconds_max=1.0 / FEW_TIMES)


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


@pytest.mark.parametrize("raised", [StoreError("the disk is full"), ValueError("a bug")])
def test_what_goes_wrong_in_the_thread_becomes_a_store_error(raised: Exception) -> None:
    def fail() -> None:
        raise raised

    async def use(committer: Committer) -> None:
        error = await there(committer)
        assert isinstance(error, StoreError)
        assert str(raised) in str(error)

    with_committer(fail, use)


def test_what_goes_wrong_on_the_loop_becomes_a_store_error() -> None:
    def fail() -> None:
        raise StoreError("the disk is full")

    with_committer(fail, lambda committer: check(isinstance(committer.commit_here(), StoreError)))


def test_nothing_is_committed_here_when_nothing_may_be() -> None:
    async def use(committer: Committer) -> None:
        await there(committer)
        assert not committer.may_commit_here(MANY, 0)

    with_committer(lambda: None, use, here_seconds_max=0.0)
