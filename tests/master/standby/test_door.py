"""The port of a master that stands by: real sockets and TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.model import Role
from tq.common.errors import NotOwner, Rejected
from tq.common.wire.address import Address
from tq.common.wire.connection import CallerConnection
from tq.master.standby import door as door_module
from tq.master.standby.door import StandbyDoor

from .doors import NODE, SECONDS, UNUSED, at_door, identity


async def knock(where: Address, credential: Credential) -> NotOwner:
    with pytest.raises(NotOwner) as refused:
        await CallerConnection.open(where, credential, role=Role.CLIENT, node=NODE, timeout=SECONDS)
    return refused.value


def test_who_connects_is_said_which_master_serves() -> None:
    said = at_door(Address("b.example", 5001), lambda where, _: knock(where, identity()[1]))
    assert said.owner == "b.example:5001"
    assert "the one that serves is b.example:5001" in str(said)


def test_while_no_master_serves_that_is_what_is_said() -> None:
    said = at_door(None, lambda where, _: knock(where, identity()[1]))
    assert said.owner is None
    assert "takes over soon" in str(said)


def test_who_pins_another_certificate_goes_without_a_word() -> None:
    async def visit(where: Address, door: StandbyDoor) -> None:
        other = Credential(key_id="k", secret=b"s" * 32, pin=b"p" * 32)
        with pytest.raises(Rejected):
            await CallerConnection.open(where, other, role=Role.CLIENT, node=NODE, timeout=SECONDS)
        assert door.refused == 0

    at_door(UNUSED, visit)


def test_what_a_stranger_names_is_not_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plain key has no pin, and at the first connection nothing is remembered: the next one could be anybody's."""
    monkeypatch.setenv("TQ_KNOWN_MASTERS", str(tmp_path / "known"))

    async def visit(where: Address, _: StandbyDoor) -> NotOwner:
        elsewhere = Address("127.1", where.port)  # this machine, by a name that does not say so
        with pytest.raises(NotOwner) as refused:
            await CallerConnection.open(
                elsewhere, Credential.parse("a plain key of some length"), role=Role.CLIENT, node=NODE
            )
        return refused.value

    assert at_door(Address("evil.example", 5000), visit).owner is None


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b""])
def test_a_stranger_is_closed_in_time(words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "OPEN_SECONDS_MAX", 0.1)

    async def visit(where: Address, _: StandbyDoor) -> bytes:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(words)
        said = await asyncio.wait_for(reader.read(), SECONDS)
        writer.close()
        return said

    assert b"tq" not in at_door(None, visit)


def test_of_very_many_visitors_the_oldest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "CONNECTIONS_MAX", 2)

    async def visit(where: Address, _: StandbyDoor) -> None:
        streams = [await asyncio.open_connection(*where) for _ in range(3)]
        assert await asyncio.wait_for(streams[0][0].read(), SECONDS) == b""
        assert not streams[2][0].at_eof()
        for _, writer in streams:
            writer.close()

    at_door(None, visit)
