"""How a caller gets to the master that serves: real sockets, TLS, and doors of masters that stand by."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import NotOwner, Unreachable
from tq.common.wire.address import Address
from tq.common.wire.master_line import MasterLine
from tq.common.wire.reach import reach
from tq.master.standby.door import StandbyDoor

from ...master.standby.doors import NODE, SECONDS, UNUSED, at_door, identity


def test_a_round_names_each_master_that_did_not_serve() -> None:
    async def visit(where: Address, _: StandbyDoor) -> str:
        with pytest.raises(NotOwner) as refused:
            await reach(
                MasterLine([UNUSED, where]), identity()[1], role=Role.CLIENT, node=NODE, timeout=SECONDS
            )
        assert isinstance(refused.value, Unreachable)  # so it is tried again, as one that does not answer
        return str(refused.value)

    said = at_door(None, visit)
    assert said.startswith(f"none of {UNUSED}, 127.0.0.1:")
    assert "cannot connect to 127.0.0.1:1: " in said
    assert "this master stands by" in said


def test_with_one_master_its_own_reason_is_what_is_raised() -> None:
    async def run() -> None:
        with pytest.raises(
            Unreachable, match=r"^cannot connect to 127\.0\.0\.1:1: .*is tq-master running there"
        ):
            await reach(MasterLine([UNUSED]), identity()[1], role=Role.CLIENT, node=NODE, timeout=SECONDS)

    asyncio.run(run())


def test_a_master_that_never_answers_leaves_time_for_the_others() -> None:
    async def visit(where: Address, door: StandbyDoor) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and no program answers
            first = Address(*silent.getsockname())
            with pytest.raises(NotOwner):
                await reach(
                    MasterLine([first, where]), identity()[1], role=Role.CLIENT, node=NODE, timeout=1.0
                )
        assert door.refused == 1

    at_door(None, visit)


def test_each_place_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a headless service: the first place is down, the second stands by."""

    async def visit(where: Address, door: StandbyDoor) -> None:
        async def found(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
            return [(0, 0, 0, "", (place, port)) for place in ("127.0.0.9", "127.0.0.1", "127.0.0.1")]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
        with pytest.raises(NotOwner):
            await reach(
                MasterLine([Address("masters.example", where.port)]),
                identity()[1],
                role=Role.CLIENT,
                node=NODE,
                timeout=SECONDS,
            )
        assert door.refused == 1

    at_door(None, visit)


def test_an_unknown_name_is_an_address_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async def unknown(host: str, port: int, **_: Any) -> list[Any]:
            raise OSError(-2, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        with pytest.raises(
            Unreachable, match=r"cannot connect to nowhere\.example:5000: Name or service not known"
        ):
            await reach(
                MasterLine([Address("nowhere.example", 5000)]),
                identity()[1],
                role=Role.CLIENT,
                node=NODE,
                timeout=SECONDS,
            )

    asyncio.run(run())
