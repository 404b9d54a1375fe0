"""What a call makes that fails with the store is on no account: programs ask again and again while a disk takes no writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.errors import StoreError
from tq.master.engine.accounts import Account, Accounts, Resource, charged
from tq.master.tasks.origins import Origins
from tq.master.tasks.route import LaneKey
from tq.master.tasks.routes import Routes

from ..conftest import Bench, Peer


def submit(bench: Bench, client: Peer) -> int:
    return client.ask("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]])


def make_lane(bench: Bench, client: Peer) -> int:
    account, routes = client.session.account, bench.engine.part(Routes)
    key = LaneKey("acme", (("per-host", "a.example", 1),))
    bench.engine.call(
        client.session, 1, lambda call: routes.lane(routes.route("q", "m:f"), key, account).task
    )
    return 1


def note_origin(bench: Bench, client: Peer) -> int:
    origins, account = bench.engine.part(Origins), client.session.account
    bench.engine.call(client.session, 1, lambda call: origins.number("in", "out", account))
    return 1


MAKE: dict[Resource, Callable[[Bench, Peer], int]] = {
    Resource.NAMES: submit,
    Resource.LANES: make_lane,
    Resource.LIMIT_KEYS: make_lane,
    Resource.ORIGINS: note_origin,
    Resource.QUEUES: lambda bench, client: client.ask(("get_queue", "q"), "put", b"p" * 16, 1, b""),
    Resource.SYNCS: lambda bench, client: client.ask(("get_lock", "x"), "acquire", b"t" * 16),
    Resource.FLOWS: lambda bench, client: client.ask("get_flows", "open", new_ids(), "crawl"),
}


def answered(bench: Bench, client: Peer, asked: int) -> Any:
    """Turns of a master in trouble, until it is the call's."""
    for _ in range(10):
        if asked in client.answers:
            break
        bench.step()
        bench.now = bench.now._replace(mono=bench.now.mono + 1_000)
    return client.answer(asked)


@pytest.mark.parametrize("what", MAKE)
def test_it_is_on_the_account_of_its_key_once_it_is_stored(bench: Bench, what: Resource) -> None:
    client = bench.client()
    asked = MAKE[what](bench, client)
    bench.step()
    client.answer(asked)
    assert client.session.account.held[what] == 1


@pytest.mark.parametrize("what", MAKE)
def test_it_is_on_no_account_while_the_store_takes_no_row(bench: Bench, what: Resource) -> None:
    bench.engine.store._db.execute("PRAGMA query_only = 1")
    for _ in range(2):
        client = bench.client()  # another one: a failed transaction has it connect again
        with pytest.raises(StoreError, match="readonly"):
            answered(bench, client, MAKE[what](bench, client))
        assert client.session.account.held[what] == 0


@pytest.mark.parametrize("what", MAKE)
def test_it_is_on_no_account_when_its_commit_fails(bench: Bench, what: Resource) -> None:
    def fail() -> None:
        raise StoreError("the store says: disk I/O error")

    client = bench.client()
    asked = MAKE[what](bench, client)
    bench.step(commit=fail)
    with pytest.raises(StoreError):
        client.answer(asked)
    assert client.session.account.held[what] == 0


def test_what_is_on_no_account_is_stored_all_the_same() -> None:
    with charged(None, Resource.QUEUES):
        pass


def test_what_fails_for_another_reason_is_given_back_as_well() -> None:
    account: Account = Accounts().of("a")
    with pytest.raises(ZeroDivisionError), charged(account, Resource.QUEUES):
        raise ZeroDivisionError
    assert account.held[Resource.QUEUES] == 0
