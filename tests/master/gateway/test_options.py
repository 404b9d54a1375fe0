"""Where the gateway listens and with which key: options that belong together, and an address that others reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.errors import ConfigError
from tq.common.wire.address import Address
from tq.master.gateway.options import GatewayArguments, GatewayOptions, check_ports, read_options

KEY = "correct horse battery staple, and more of it"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    return file


def test_without_an_address_there_is_no_gateway() -> None:
    assert read_options(GatewayArguments(None, None, public=False)) is None


def test_a_key_or_public_without_an_address_is_an_error(key_file: Path) -> None:
    for arguments in (
        GatewayArguments(None, key_file, public=False),
        GatewayArguments(None, None, public=True),
    ):
        with pytest.raises(ConfigError, match="need --gateway HOST:PORT"):
            read_options(arguments)


def test_an_address_needs_a_key_of_its_own() -> None:
    with pytest.raises(ConfigError, match="needs --gateway-authkey-file"):
        read_options(GatewayArguments("127.0.0.1:5001", None, public=False))


def test_an_address_that_others_reach_has_to_be_confirmed(key_file: Path) -> None:
    with pytest.raises(ConfigError, match="are not encrypted"):
        read_options(GatewayArguments("192.0.2.1:5001", key_file, public=False))
    options = read_options(GatewayArguments("192.0.2.1:5001", key_file, public=True))
    assert options is not None
    assert options.address == Address("192.0.2.1", 5001)


def test_the_key_is_read_from_its_file_and_never_shown(key_file: Path) -> None:
    options = read_options(GatewayArguments("127.0.0.1:5001", key_file, public=False))
    assert options is not None
    assert options.key == KEY.encode()
    assert KEY not in repr(options)


def options(address: str, port: int) -> GatewayOptions:
    return GatewayOptions(address=Address(address, port), key=KEY.encode())


def test_each_of_several_processes_has_the_next_port() -> None:
    one = options("127.0.0.1", 7001).of_process(1, 3)
    assert (one.address, one.ports) == (Address("127.0.0.1", 7002), (7001, 7002, 7003))


def test_the_ports_of_several_processes_are_known_and_free_of_each_other() -> None:
    bind = Address("127.0.0.1", 5000)
    with pytest.raises(ConfigError, match=r"have ports in common: .* e\.g\. --gateway 127\.0\.0\.1:5003"):
        check_ports(options("127.0.0.1", 5002), bind, 3)
    with pytest.raises(ConfigError, match="have ports in common"):
        check_ports(options("192.0.2.1", 4999), Address("0.0.0.0", 5000), 2)  # noqa: S104 - nothing is bound
    with pytest.raises(ConfigError, match="needs a port number"):
        check_ports(options("127.0.0.1", 0), bind, 2)
    with pytest.raises(ConfigError, match="none above 65535"):
        check_ports(options("127.0.0.1", 65_535), bind, 2)
    check_ports(options("127.0.0.1", 5003), bind, 3)
    check_ports(options("192.0.2.1", 5001), bind, 3)  # another address of this machine
