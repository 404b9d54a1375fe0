"""Which addresses are public."""

from __future__ import annotations

import pytest
from tq.tasks.http.addresses import refusal

REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "0.0.0.0": "unspecified",  # noqa: S104
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "private",
    "100.100.100.200": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "169.254.169.254": "link-local",
    "168.63.129.16": "metadata",
    "192.0.0.192": "reserved",
    "192.0.2.1": "reserved",
    "198.18.0.1": "private",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "reserved",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b::808:808": "NAT64",
    "64:ff9b:1::1": "NAT64",
    "2002:7f00:1::": "6to4",
    "2001::1": "reserved",
    "2001:db8::1": "reserved",
    "3fff::1": "reserved",
    "5f00::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "2606:4700::1%eth0": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
    "100::1": "reserved",
}


@pytest.mark.parametrize(("address", "why"), REFUSED.items())
def test_what_is_not_of_the_public_internet_is_refused(address: str, why: str) -> None:
    assert refusal(address) == why


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.1",
        "93.184.215.14",
        "2606:4700::1111",
        "2a00:1450:4001::1",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize(
    "text", ["", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "1.2.3.4.", " 8.8.8.8", "[::1]"]
)
def test_what_is_no_address_in_its_usual_form_is_refused(text: str) -> None:
    assert refusal(text) == "malformed"
