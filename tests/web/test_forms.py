"""Where a form may lead back to."""

from __future__ import annotations

import pytest
from tq.web.forms import local_path


@pytest.mark.parametrize("path", ["/", "/tasks?where=state%3Dfailed", "/flows/a?b=//c"])
def test_a_path_of_this_page_is_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example.org",
        "/\\evil.example.org",
        "https://evil.example.org",
        "javascript:alert(1)",
        "",
        "tasks",
        "/a\r\nSet-Cookie: x",
    ],
)
def test_anything_that_leads_elsewhere_is_the_start(path: str) -> None:
    assert local_path(path) == "/"
