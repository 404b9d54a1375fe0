"""Resources are made once, at their first use, by one of those who ask, and closed in the reverse order."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import tq
from tq.common.domain.resources import SharedResource
from tq.common.errors import ResourceFailed
from tq.common.runtime.made_resources import MadeResources


class Diary:
    """Resources that note what happens to them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fails = 0

        def db() -> Iterator[list[str]]:
            self.lines.append("db opens")
            if self.fails:
                self.fails -= 1
                raise OSError("refused")
            yield ["db"]
            self.lines.append("db closes")

        self.db = SharedResource[list[str]](db)

        def repo(conn: list[str] = tq.resource(self.db)) -> Iterator[list[str]]:
            self.lines.append("repo opens")
            yield ["repo", *conn]
            self.lines.append("repo closes")

        self.repo = SharedResource[list[str]](repo)

        async def session(conn: list[str] = tq.resource(self.db)) -> AsyncIterator[list[str]]:
            self.lines.append("session opens")
            await asyncio.sleep(0)
            yield ["session", *conn]
            await asyncio.sleep(0)
            self.lines.append("session closes")

        self.session = SharedResource[list[str]](session)


OPENED = ["db opens", "repo opens", "session opens"]
CLOSED = ["session closes", "repo closes", "db closes"]


def test_each_is_made_once_and_closed_in_the_reverse_order() -> None:
    diary, made = Diary(), MadeResources()
    assert made.get(diary.repo) == ["repo", "db"]
    assert made.get(diary.repo) is made.get(diary.repo)
    with asyncio.Runner() as runner:
        first = runner.run(made.aget(diary.session))
        assert runner.run(made.aget(diary.session)) is first == ["session", "db"]
        made.close(runner.run)
    assert diary.lines == [*OPENED, *CLOSED]


def test_inside_a_loop_they_are_closed_in_it() -> None:
    async def test() -> None:
        await made.given_to_coroutine({"a": diary.repo, "b": diary.session})
        await made.aclose()

    diary, made = Diary(), MadeResources()
    asyncio.run(test())
    assert diary.lines == [*OPENED, *CLOSED]


def test_coroutines_that_ask_at_once_get_the_same() -> None:
    async def test() -> list[Any]:
        return await asyncio.gather(*[made.aget(diary.session) for _ in range(20)])

    diary, made = Diary(), MadeResources()
    assert len({id(one) for one in asyncio.run(test())}) == 1
    assert diary.lines == ["db opens", "session opens"]


def test_threads_that_ask_at_once_get_the_same() -> None:
    begun, found = threading.Barrier(8), []

    def ask() -> None:
        begun.wait()
        found.append(made.get(diary.repo))

    diary, made = Diary(), MadeResources()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len({id(one) for one in found}) == 1
    assert diary.lines == ["db opens", "repo opens"]


def test_one_that_could_not_be_made_fails_by_its_name_and_is_made_by_the_next() -> None:
    diary, made = Diary(), MadeResources()
    diary.fails = 1
    with pytest.raises(
        ResourceFailed, match=r"the resource .*:Diary.*db could not be made: OSError: refused"
    ) as caught:
        made.get(diary.repo)
    assert type(caught.value.__cause__) is OSError
    assert made.get(diary.repo) == ["repo", "db"]


def test_an_async_one_that_could_not_be_made_fails_by_its_name_and_is_made_by_the_next() -> None:
    async def test() -> None:
        with pytest.raises(ResourceFailed, match=r"db could not be made"):
            await made.aget(diary.session)
        assert await made.aget(diary.session) == ["session", "db"]

    diary, made = Diary(), MadeResources()
    diary.fails = 1
    asyncio.run(test())


def test_a_coroutine_that_is_cancelled_while_it_makes_one_leaves_it_to_the_next() -> None:
    async def slow() -> AsyncIterator[int]:
        attempts.append(1)
        begun.set()
        if len(attempts) == 1:
            await asyncio.Event().wait()
        yield 7

    async def test() -> None:
        first, second = (asyncio.ensure_future(made.aget(resource)) for _ in range(2))
        await begun.wait()
        first.cancel()
        assert await second == 7

    attempts: list[int] = []
    begun = asyncio.Event()
    made, resource = MadeResources(), SharedResource[int](slow)
    asyncio.run(test())


@pytest.mark.parametrize("error", [tq.Retry(after=5), tq.Discard("never"), tq.TimeLimit()])
def test_what_directs_the_task_goes_through(error: BaseException) -> None:
    def later() -> Iterator[int]:
        raise error
        yield 1

    with pytest.raises(type(error)) as caught:
        MadeResources().get(SharedResource[int](later))
    assert caught.value is error


def test_one_that_yields_nothing_is_said_to() -> None:
    def empty() -> Iterator[int]:
        return
        yield 1

    with pytest.raises(ResourceFailed, match="empty yielded nothing: it ended before its yield"):
        MadeResources().get(SharedResource[int](empty))


def test_one_that_asks_for_itself_while_it_is_made_is_no_endless_loop() -> None:
    def itself() -> Iterator[int]:
        yield made.get(resource)

    made, resource = MadeResources(), SharedResource[int](itself)
    with pytest.raises(ResourceFailed, match="itself asks for itself"):
        made.get(resource)


def test_one_that_raises_at_the_end_is_logged_by_name_and_the_others_are_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(conn: list[str]) -> Iterator[int]:
        yield 1
        raise OSError("gone")

    def twice() -> Iterator[int]:
        yield 1
        yield 2

    broken.__defaults__ = (tq.resource((diary := Diary()).db),)
    made = MadeResources()
    made.get(SharedResource[int](broken))
    made.get(SharedResource[int](twice))
    with caplog.at_level(logging.ERROR):
        made.close(asyncio.run)
    assert diary.lines == ["db opens", "db closes"]
    assert "twice was not closed" in caplog.text
    assert "it yields a second time" in caplog.text
    assert "broken was not closed" in caplog.text
    assert "OSError: gone" in caplog.text


def test_after_its_loop_was_ended_an_async_one_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    diary, made = Diary(), MadeResources()
    asyncio.run(made.aget(diary.session))
    with asyncio.Runner() as runner:
        assert runner.run(made.aget(diary.session)) == ["session", "db"]
        made.close(runner.run)
    assert diary.lines == ["db opens", "session opens", "session opens", "session closes", "db closes"]
    assert "session is made again" in caplog.text
