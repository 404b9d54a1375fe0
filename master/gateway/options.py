"""Where the gateway is to listen and with which key, from the options of ``tq-master``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...common.auth.key_files import read_key_file
from ...common.auth.keys import check_authkey_strength
from ...common.errors import ConfigError, TqError
from ...common.wire.address import Address, is_loopback, parse_address


class GatewayArguments(NamedTuple):
    """What ``--gateway``, ``--gateway-authkey-file`` and ``--gateway-public`` say, as they stand."""

    address: str | None
    key_file: Path | None
    public: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayOptions:
    """Where stock clients come in, and their key."""

    address: Address
    key: bytes = field(repr=False)


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
