"""Opens a connection to whichever master of a cluster serves: one round over their addresses.

::

    MasterLine ─► address ─► places of its name ─► CallerConnection ─┬─► serves: the connection
      ▲                                                        ├─► NotOwner: the one that it names is next
      └────────────────────────────────────────────────────────┴─► Unreachable, …: the next one

A name of several places (a headless service, two A records) is as several masters: each place is tried. A refused key is final.

An owner's address is followed only if the one that names it was recognised, by the key's pin, an authority or what was remembered:
a stranger must not send a plain key's proof to an address of its choice (see ``common/auth/known_masters.py``).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from ..auth.keys import Credential
from ..domain.model import Role
from ..errors import InvalidArgument, NotOwner, ProtocolError, QuotaExceeded, TqError, Unreachable
from .address import Address, is_ip, parse_address
from .connection import CONNECT_SECONDS, CallerConnection
from .master_line import MasterLine
from .tls import NO_CA, OwnCa

PLACES_MAX: Final = 16  # of one name
TRIED_AGAIN: Final = (Unreachable, ProtocolError, QuotaExceeded)  # by another master, or in the next round


async def reach(
    line: MasterLine,
    credential: Credential,
    *,
    role: Role,
    node: bytes,
    timeout: float = CONNECT_SECONDS,
    own_ca: OwnCa = NO_CA,
    shard: int = 0,
) -> CallerConnection:
    """A connection to the master that serves. ``timeout``: seconds for the whole round. ``shard``: the one that it is to serve.

    Raises Rejected, which is final; NotOwner if one stands by and none serves; else the error of the only one, or Unreachable with
    the reason of each.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + timeout
    round, reasons = line.round(), dict[Address, TqError]()
    while (address := round.next()) is not None:
        # Each has its share, so that one that never answers leaves time for the others.
        seconds = max(0.001, (deadline - now()) / (round.left + 1))
        try:
            connection = await _open(address, credential, role, node, seconds, own_ca, shard)
        except NotOwner as error:
            reasons[address] = error
            round.stands_by(address, _owner(error))
        except TRIED_AGAIN as error:
            reasons[address] = error
            round.failed(address)
        else:
            round.serves(address)
            return connection
    raise _together(reasons)


async def _open(
    address: Address,
    credential: Credential,
    role: Role,
    node: bytes,
    timeout: float,
    own_ca: OwnCa,
    shard: int,
) -> CallerConnection:
    """A connection to the first place of a name that serves."""
    now = asyncio.get_running_loop().time
    deadline = now() + timeout
    places = await _places(address, timeout)
    reason: TqError | None = None
    for left, place in zip(range(len(places), 0, -1), places, strict=True):
        seconds = max(0.001, (deadline - now()) / left)
        try:
            return await CallerConnection.open(
                address,
                credential,
                role=role,
                node=node,
                timeout=seconds,
                own_ca=own_ca,
                place=place,
                shard=shard,
            )
        except NotOwner as error:
            # It says more than that another place does not answer.
            reason = error
            if error.owner is not None:
                break
        except TRIED_AGAIN as error:
            reason = reason or error
    assert reason is not None  # noqa: S101 - a name has at least one place
    raise reason


async def _places(address: Address, timeout: float) -> list[str]:
    """What a name stands for now; asked for at each try, since a name may move with the master."""
    if is_ip(address.host):  # nothing to look up, which would take a thread
        return [address.host]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise Unreachable(f"the name of {address} was not found within {timeout:g} s") from None
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a host"
        raise Unreachable(f"cannot connect to {address}: {why}; is tq-master running there?") from None
    return list(dict.fromkeys(str(place[4][0]) for place in found))[:PLACES_MAX]


def _owner(error: NotOwner) -> Address | None:
    if error.owner is None:
        return None
    try:
        return parse_address(error.owner)
    except InvalidArgument:  # what a peer says is no reason to give up
        return None


def _together(reasons: dict[Address, TqError]) -> TqError:
    """One error for a round in which none served."""
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    text = f"none of {', '.join(map(str, reasons))} serves: {'; '.join(map(str, reasons.values()))}"
    stand_by = any(isinstance(error, NotOwner) for error in reasons.values())
    return NotOwner(text) if stand_by else Unreachable(text)
