"""Child processes of the tests here: forked from one that has imported what they need, as those of ``tests/cluster`` are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..cluster.forked_programs import template_of_this_process


@pytest.fixture(scope="package", autouse=True)
def template() -> Iterator[None]:
    with template_of_this_process():
        yield
