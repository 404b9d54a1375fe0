from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import InvalidArgument
from tq.common.wire.address import (
    ADDRESSES_MAX,
    DEFAULT_PORT,
    Address,
    is_loopback,
    parse_address,
    parse_addresses,
    url_of,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("a2:6000", "a2", 6000),
        ("a2", "a2", DEFAULT_PORT),
        ("tq://a2:6000", "a2", 6000),
        ("tq://a2:6000/", "a2", 6000),
        ("tq://a2", "a2", DEFAULT_PORT),
        (" 10.0.0.7:1 ", "10.0.0.7", 1),
        ("[::1]:65535", "::1", 65_535),
        ("[::1]", "::1", DEFAULT_PORT),
        ("::1", "::1", DEFAULT_PORT),
        ("tq://[fe80::1]:6000", "fe80::1", 6000),
    ],
)
def test_every_usual_way_of_writing_an_address_is_understood(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", ":5000", "tq://", "a b:5000", "me@host:5000", "host/x:5000", "a?b", "5000", "5001:5000"]
)
def test_what_names_no_host_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"write host:5000, tq://host:5000 or \[::1\]:5000"):
        parse_address(text)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "", "5000x", "٣", "1e3"])
def test_a_port_out_of_range_is_refused_by_name(port: str) -> None:
    with pytest.raises(InvalidArgument, match="is not a number from 1 to 65535"):
        parse_address(f"host:{port}")


def test_a_listener_may_leave_port_and_host_open() -> None:
    assert parse_address("127.0.0.1:0", listen=True) == Address("127.0.0.1", 0)
    assert parse_address(":5000", listen=True) == Address("", 5000)


@given(st.sampled_from(["a2", "10.0.0.7", "::1", "2001:db8::5"]), st.integers(1, 65_535))
def test_a_shown_address_reads_back_as_itself(host: str, port: int) -> None:
    address = Address(host, port)
    assert parse_address(str(address)) == address


@given(st.text(max_size=40))
def test_no_text_does_worse_than_an_invalid_argument(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidArgument:
        return
    assert address.host
    assert 1 <= address.port <= 65_535


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.7", "a2", "localhost.example"])  # noqa: S104 - a name to judge
def test_anything_else_counts_as_public(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "text", ["tq://a:5000,b:6000", "a,b:6000", " tq://a , tq://b:6000/ ", "a,b:6000,a:5000", "a,,b:6000,"]
)
def test_the_masters_of_a_cluster_are_named_together(text: str) -> None:
    addresses = parse_addresses(text)
    assert addresses == (Address("a", DEFAULT_PORT), Address("b", 6000))
    assert parse_addresses(url_of(addresses)) == addresses


@pytest.mark.parametrize(
    "text", ["", "tq://", ",", "a:5000,b:x", ",".join(f"h{n}" for n in range(ADDRESSES_MAX + 1))]
)
def test_what_names_no_masters_or_too_many_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_addresses(text)
