"""What a worker may say about fetches, and what a name may stand for."""

from __future__ import annotations

import asyncio

import pytest
import tq
from tq.tasks.http.names import PER_HOST_DEFAULT, AddressRefused, Names, Policy


def test_the_limit_of_a_host_is_the_workers() -> None:
    assert Policy.from_environment({}, is_private=False).per_host == PER_HOST_DEFAULT
    assert Policy.from_environment({"TQ_HTTP_PER_HOST": "200"}, is_private=True).per_host == 200
    for text in ("0", "-1", "many", "", "1e3", "9" * 30):
        with pytest.raises(tq.ConfigError, match="TQ_HTTP_PER_HOST must be a number from 1"):
            Policy.from_environment({"TQ_HTTP_PER_HOST": text}, is_private=False)


def test_of_several_addresses_only_the_public_ones_are_given_out() -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "93.184.215.14", "::1", "2606:4700::1111", "93.184.215.14"]

    async def check() -> None:
        strict, open_to_all = Names(Policy(), look_up), Names(Policy(is_private=True), look_up)
        assert [one["host"] for one in await strict.resolve("a.example", 80)] == [
            "93.184.215.14",
            "2606:4700::1111",
        ]
        assert len(await open_to_all.resolve("a.example", 80)) == 4

    asyncio.run(check())


def test_a_name_that_the_system_cannot_encode_or_that_stands_for_none_is_an_error_of_this_name() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        return []

    async def check() -> None:
        names = Names(Policy())
        with pytest.raises(OSError, match="cannot be looked up"):
            await names.resolve("a" * 64 + ".example", 80)
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 \(loopback\)"):
            await names.resolve("localhost", 80)
        with pytest.raises(OSError, match="stands for no address"):
            await Names(Policy(), nothing).resolve("a.example", 80)
        await names.close()

    asyncio.run(check())
