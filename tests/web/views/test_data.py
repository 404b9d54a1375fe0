"""Named values: what is in one, without what looks like a secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode
from tq.web.logins import Login
from tq.web.page import ViewRequest
from tq.web.views.data import data, delete

COUNTS = {"type": "dict", "parts": encode(["ham", 3, "password", "1234"])}


class Master:
    def call(self, target: Any, method: str, *args: Any) -> Any:
        if method == "list":
            return {"rows": [{"name": "counts", "type": "dict", "size_bytes": 99}], "left_out": 0}
        return COUNTS if method == "show" else "dict"


LOGIN = cast(Login, SimpleNamespace(app=Master()))


def test_a_value_is_shown_with_its_secrets_hidden() -> None:
    page = data(LOGIN, ViewRequest(path={}, query={"name": "counts"}))
    assert '"ham": 3' in page.context["shown"]
    assert "1234" not in page.context["shown"]
    assert (page.context["elements"], page.command) == (2, "tq data show counts")


def test_without_a_name_all_are_listed() -> None:
    page = data(LOGIN, ViewRequest(path={}, query={}))
    assert page.rows is not None
    assert [row["name"] for row in page.rows()] == ["counts"]


def test_a_value_is_deleted_by_its_name_and_by_nothing_less() -> None:
    done = delete(LOGIN, ViewRequest(path={}, query={"name": "counts"}))
    assert (done.note, done.to) == ("the dict counts is deleted", "/data")
    with pytest.raises(InvalidArgument, match="names none"):
        delete(LOGIN, ViewRequest(path={}, query={}))
