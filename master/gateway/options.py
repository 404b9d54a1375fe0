"""Where the gateway is to listen and with which key, from the options of ``tq-master``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from ...common.auth.key_files import read_key_file
from ...common.auth.keys import check_authkey_strength
from ...common.errors import ConfigError, TqError
from ...common.wire.address import Address, is_loopback, parse_address

PORT_MAX: Final = 65_535
EVERY_ADDRESS: Final = {"", "0.0.0.0", "::"}  # noqa: S104 - compared, not bound


class GatewayArguments(NamedTuple):
    """What ``--gateway``, ``--gateway-authkey-file`` and ``--gateway-public`` say, as they stand."""

    address: str | None
    key_file: Path | None
    public: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayOptions:
    """Where stock clients come in, and their key. ``ports``: of all processes of this master, if there are several."""

    address: Address
    key: bytes = field(repr=False)
    ports: tuple[int, ...] = ()

    def of_process(self, number: int, of: int) -> GatewayOptions:
        """As one of so many processes has them: a port of its own, each the next one."""
        first = self.address.port
        ports = tuple(range(first, first + of))
        return replace(self, address=Address(self.address.host, ports[number]), ports=ports)


def check_ports(options: GatewayOptions, bind: Address, processes: int) -> None:
    """Before any of several processes is started. Raises ConfigError."""
    first, last = options.address.port, options.address.port + processes - 1
    if not first:
        raise ConfigError(
            "--gateway needs a port number with --processes: each process has the next one, and clients name it"
        )
    if last > PORT_MAX:
        raise ConfigError(
            f"--gateway {options.address}: {processes} processes need the ports up to {last}, and there are none above {PORT_MAX}"
        )
    is_one_host = bind.host == options.address.host or bool({bind.host, options.address.host} & EVERY_ADDRESS)
    if is_one_host and bind.port <= last and first < bind.port + processes:
        raise ConfigError(
            f"--gateway {options.address} and --bind {bind} have ports in common: {processes} processes take as many from each on; "
            f"e.g. --gateway {Address(options.address.host, bind.port + processes)}"
        )


def read_options(arguments: GatewayArguments) -> GatewayOptions | None:
    """None when there is to be none. Raises ConfigError."""
    address, key_file, public = arguments
    if address is None:
        if key_file is not None or public:
            raise ConfigError("--gateway-authkey-file and --gateway-public need --gateway HOST:PORT")
        return None
    if key_file is None:
        raise ConfigError(
            "--gateway needs --gateway-authkey-file FILE: a key of its own, for these clients only"
        )
    try:
        where = parse_address(address, listen=True, default_port=5001)
    except TqError as error:
        raise ConfigError(f"--gateway: {error}") from error
    if not is_loopback(where.host) and not public:
        raise ConfigError(
            f"--gateway {where}: clients of the standard library are not encrypted, everybody on the way reads and alters "
            "what they send; use 127.0.0.1 and a tunnel, or say --gateway-public"
        )
    key = read_key_file(key_file)
    check_authkey_strength(key, where.host)
    return GatewayOptions(address=where, key=key.encode())
