"""What a page may be started with: nothing that would send keys in the clear, or answer to any name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.web.settings import PageSettings, page_settings

PEM = Path("page.pem")


def settings(bind: str = "127.0.0.1:15672", **given: Any) -> PageSettings:
    return page_settings(bind=bind, master="tq://127.0.0.1:5000", **given)


@pytest.mark.parametrize("bind", ["127.0.0.1:15672", "localhost:0", "[::1]:80", "127.0.0.2"])
def test_a_page_of_this_machine_alone_needs_no_tls(bind: str) -> None:
    made = settings(bind)
    assert not made.is_secure
    assert made.names >= {"127.0.0.1", "localhost", "[::1]"}


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:15672", ":15672", "192.0.2.7:15672", "[::]:15672", "queue.example.org:15672"]
)
def test_a_page_that_others_can_reach_is_refused_without_tls(bind: str) -> None:
    with pytest.raises(InvalidArgument, match=r"--tls-cert and --tls-key, or --behind-proxy"):
        settings(bind, names=("queue.example.org",))


def test_with_tls_or_behind_a_proxy_it_may_be_reached_by_the_names_that_are_given() -> None:
    own = settings("0.0.0.0:15672", certificate=PEM, key=PEM, names=("Queue.example.org",))
    behind = settings("192.0.2.7:15672", behind_proxy=True, names=("queue.example.org",))
    assert own.is_secure
    assert behind.is_secure
    assert "queue.example.org" in own.names & behind.names
    assert "localhost" not in own.names


def test_behind_a_proxy_the_name_in_a_browser_must_be_given() -> None:
    with pytest.raises(InvalidArgument, match="give --host NAME"):
        settings(behind_proxy=True)


@pytest.mark.parametrize("given", [{"certificate": PEM}, {"key": PEM}])
def test_a_certificate_without_its_key_is_refused(given: dict[str, Path]) -> None:
    with pytest.raises(InvalidArgument, match="go together"):
        settings(**given)


@pytest.mark.parametrize("name", ["https://queue.example.org", "queue.example.org:443", "", "a b"])
def test_a_name_with_more_than_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="write the name alone"):
        settings(names=(name,))
