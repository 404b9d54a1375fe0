"""How proxies reach other processes: a pickled proxy holds the name of its object and the address of its master.

The key follows the standard library's rule: it is pickled only for a child process that is being started. An unpickled
proxy uses this process's existing session with that master; if there is none, a new one with the authkey of
``current_process()``.
"""

from __future__ import annotations

from multiprocessing import current_process
from multiprocessing.context import get_spawning_popen
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from ...common.domain.ids import new_ids
from ...common.domain.model import OWN
from ...common.wire.address import Address, parse_addresses
from .session import ClientSession
from .settings import Settings

LOOPBACK: Final = "127.0.0.1"  # where a manager is that listens on every interface

_arrived: dict[str | None, ClientSession] = {}  # of proxies that came by pickle
# As long as a manager or a proxy has it
_managers: WeakValueDictionary[str | None, ClientSession] = WeakValueDictionary()


class MasterAddress(NamedTuple):
    """Address of a master, as it is pickled. ``url`` None: the receiving process finds its own master."""

    url: str | None
    authkey: str | None


def master_address_of(session: ClientSession) -> MasterAddress:
    return MasterAddress(session.url, session.authkey if get_spawning_popen() is not None else None)


def remember(session: ClientSession) -> None:
    """Use this session for proxies that are unpickled in this process."""
    _managers[session.url] = session


def session_to(address: MasterAddress) -> ClientSession:
    """This process's session with the master of an unpickled proxy."""
    known = _managers.get(address.url) or _arrived.get(address.url)
    if known is None:
        # A named master without its key: the process's own key, as in multiprocessing.managers.
        given = address.url is not None and address.authkey is None
        key = authkey_text(current_process().authkey) if given else address.authkey
        known = _arrived[address.url] = ClientSession(Settings.of(address.url, key))
    return known


def url_of(address: tuple[str, int]) -> str:
    """The URL of the master at a manager's address."""
    host, port = address
    return f"tq://{Address(host or LOOPBACK, port)}"


def address_of(session: ClientSession) -> tuple[str, int]:
    """The address of a session's master, as in a proxy's token; empty if the master was found by discovery."""
    if session.url is None:
        return "", 0
    address = parse_addresses(session.url)[0]
    return address.host, address.port


def private_name(kind: str) -> str:
    """A unique name for an object that ends with this program."""
    return f"{OWN}{kind}.{new_ids().hex()}"


def authkey_text(authkey: bytes | str) -> str:
    """An authkey as text, as tq uses it. Bytes that are not printable text, such as a process's random key, become hex."""
    if isinstance(authkey, str):
        return authkey
    try:
        text = bytes(authkey).decode("ascii")
    except UnicodeDecodeError:
        return bytes(authkey).hex()
    return text if text.isprintable() and text.strip() == text else bytes(authkey).hex()
