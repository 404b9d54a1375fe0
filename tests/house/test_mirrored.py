"""Tests stand where one looks for them: those of ``master/items/items.py`` in ``tests/master/items/test_items.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

# How many modules of a folder have no test of their name: they are tested through others. No folder gets more.
WITHOUT: Final[dict[str, int]] = {
    "client/blobs": 1,
    "client/cli": 14,
    "client/cli/demo": 3,
    "client/cli/dev": 3,
    "client/cli/doctor": 3,
    "client/cli/mail": 5,
    "client/cli/map": 9,
    "client/cli/top": 4,
    "client/core": 7,
    "client/flows": 1,
    "client/items": 1,
    "client/local": 3,
    "client/locks": 2,
    "client/stdlib": 8,
    "client/tasks": 7,
    "common": 2,
    "common/auth": 1,
    "common/domain": 5,
    "common/runtime": 11,
    "common/values": 5,
    "common/wire": 1,
    "master": 3,
    "master/api": 1,
    "master/blobs": 6,
    "master/data": 2,
    "master/dependencies": 5,
    "master/engine": 10,
    "master/flows": 1,
    "master/gateway": 4,
    "master/items": 7,
    "master/keys": 2,
    "master/locks": 2,
    "master/net": 4,
    "master/observe": 2,
    "master/schedules": 4,
    "master/steps": 1,
    "master/store": 2,
    "master/store/postgres": 10,
    "master/store/sqlite": 4,
    "master/tasks": 13,
    "master/workers": 3,
    "web": 8,
    "web/views": 9,
    "worker": 2,
    "worker/agent": 4,
    "worker/child": 7,
    "worker/pools": 4,
    "worker/supervisor": 4,
}


# Where tests of a folder stand besides: what every store must do is tested subject by subject.
ALSO: Final[dict[str, str]] = {
    "master/store/interface": "master/store",
    "master/store/sqlite": "master/store",
}
TOGETHER: Final = {"common/contract"}  # each test of that folder looks at all of its modules


@pytest.fixture(scope="module")
def without(root: Path, sources: list[Path]) -> dict[str, list[str]]:
    """Modules without a test of their name, by folder. A folder of tests with the name of a module is such a test."""
    found: dict[str, list[str]] = {}
    for file in sources:
        folder = file.parent.relative_to(root).as_posix()
        places = [root / "tests" / folder, root / "tests" / ALSO.get(folder, folder)]
        is_tested = any(
            (place / f"test_{file.name}").exists() or (place / file.stem).is_dir() for place in places
        )
        if file.stem != "__init__" and folder not in TOGETHER and not is_tested:
            found.setdefault(folder, []).append(file.name)
    return found


def test_no_folder_has_more_modules_without_a_test_of_their_name(without: dict[str, list[str]]) -> None:
    assert {folder: names for folder, names in without.items() if len(names) > WITHOUT.get(folder, 0)} == {}


def test_no_folder_is_listed_that_has_all_its_tests(without: dict[str, list[str]]) -> None:
    assert WITHOUT.keys() - without.keys() == set()
