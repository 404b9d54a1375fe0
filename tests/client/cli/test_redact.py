"""What is hidden of a task's arguments, and what is not."""

from __future__ import annotations

import pytest
from tq.client.cli.redact import HIDDEN, is_secret, redacted


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "passwd", "pwd", "token", "access_token", "apiKey", "api_key", "key", "secret_id",
     "client-secret", "Authorization", "private", "credentials", "set-cookie"],
)  # fmt: skip
def test_values_of_names_like_a_secrets_are_hidden(name: str) -> None:
    assert is_secret(name)
    assert redacted({"outer": [{name: "geheim"}]}) == {"outer": [{name: HIDDEN}]}


@pytest.mark.parametrize("name", ["keyword", "monkey", "path", "keys_max", "author", "compass", 7, b"monkey"])
def test_other_names_are_shown(name: object) -> None:
    assert redacted({name: "plain"}) == {name: "plain"}


def test_it_is_so_for_names_in_bytes_and_for_pairs() -> None:
    assert redacted({b"password": "x", b"name": "y"}) == {b"password": HIDDEN, b"name": "y"}
    assert redacted([("user", "ada"), ["api_key", "x"], ("token", None)]) == [
        ("user", "ada"),
        ["api_key", HIDDEN],
        ("token", None),
    ]


def test_a_password_in_an_address_is_hidden_wherever_it_stands() -> None:
    text = redacted(["smtp://joe:geheim@mail.example.org:587/x", "https://example.org/a:b@c"])
    assert text == [f"smtp://joe:{HIDDEN}@mail.example.org:587/x", "https://example.org/a:b@c"]


def test_what_has_no_secret_stays_as_it_is_and_deep_nests_end() -> None:
    value = {"a": (1, "two"), "b": None, "password": None, "set": {1}}
    assert redacted(value) == value
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]
    assert HIDDEN in str(redacted(deep))
