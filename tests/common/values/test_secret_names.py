"""Which names are those of secrets."""

from __future__ import annotations

import pytest
from tq.common.values.secret_names import is_secret


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "access_token", "api_key", "key", b"client-secret"]
)
def test_a_name_like_a_secrets_is_one(name: object) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["keyword", "monkey", "author", 7, None, b"compass"])
def test_other_names_are_none(name: object) -> None:
    assert not is_secret(name)
