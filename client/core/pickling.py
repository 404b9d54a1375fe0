"""How proxies reach other processes: pickled, a proxy is what it stands for and where its master is.

The key follows the standard library's rule: it travels to a child that is being started and nowhere else. Whoever
unpickles a proxy uses the line this process has to that master, else the authkey of ``current_process()``.
"""

from __future__ import annotations

from multiprocessing import current_process
from multiprocessing.context import get_spawning_popen
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from ...common.domain.ids import new_ids
from ...common.domain.model import OWN
from ...common.wire.address import Address, parse_address
from .session import ClientSession
from .settings import Settings

LOOPBACK: Final = "127.0.0.1"  # where a manager is that listens on every interface

_arrived: dict[str | None, ClientSession] = {}  # of proxies that came by pickle
_managers: WeakValueDictionary[str | None, ClientSession] = (
    WeakValueDictionary()
)  # as long as a manager or a proxy has it


class MasterAddress(NamedTuple):
    """To a master, as it travels. ``url``: None is the one that is found wherever this arrives."""

    url: str | None
    authkey: str | None


def master_address_of(session: ClientSession) -> MasterAddress:
    return MasterAddress(session.url, session.authkey if get_spawning_popen() is not None else None)


def remember(session: ClientSession) -> None:
    """Proxies that are unpickled here use this line."""
    _managers[session.url] = session


def session_to(address: MasterAddress) -> ClientSession:
    """This process's line to the master of a proxy that has arrived."""
    known = _managers.get(address.url) or _arrived.get(address.url)
    if known is None:
        given = address.url is not None and address.authkey is None
        key = authkey_text(current_process().authkey) if given else address.authkey
        known = _arrived[address.url] = ClientSession(Settings.of(address.url, key))
    return known


def url_of(address: tuple[str, int]) -> str:
    """Of the master at a manager's address."""
    host, port = address
    return f"tq://{Address(host or LOOPBACK, port)}"


def address_of(session: ClientSession) -> tuple[str, int]:
    """Of its master, as a proxy's token has it; nothing where it is found by itself."""
    if session.url is None:
        return "", 0
    address = parse_address(session.url.removeprefix("tq://"))
    return address.host, address.port


def private_name(kind: str) -> str:
    """A name that nobody else will ask for, of what goes with this program."""
    return f"{OWN}{kind}.{new_ids().hex()}"


def authkey_text(authkey: bytes | str) -> str:
    """An authkey as tq has it: text. Bytes that are none, such as a process's own random key, in hex."""
    if isinstance(authkey, str):
        return authkey
    try:
        text = bytes(authkey).decode("ascii")
    except UnicodeDecodeError:
        return bytes(authkey).hex()
    return text if text.isprintable() and text.strip() == text else bytes(authkey).hex()
