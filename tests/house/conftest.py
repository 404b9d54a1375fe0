"""What the house rules look at: the tree of the project, and the installed distribution."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .syntax import forget

PACKAGE_FOLDERS = ("client", "common", "master", "tasks", "web", "worker")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".sql", ".txt", ".csv", ".service", ".yml", ".yaml", ".json", ""}


def walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, without hidden folders, built things and virtual environments."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            hidden = path.name.startswith(".") and path.name != ".ci"
            built = path.name in ("build", "dist", "site", "__pycache__") or path.name.endswith(".egg-info")
            if not hidden and not built and not (path / "pyvenv.cfg").exists():
                yield from walk(path)
        elif path.suffix in TEXT_SUFFIXES:
            yield path


@pytest.fixture(scope="package", autouse=True)
def trees() -> Iterator[None]:
    """Those of sources are kept until the last rule of this process has looked."""
    yield
    forget()


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def files(root: Path) -> list[Path]:
    return list(walk(root))


@pytest.fixture(scope="session")
def sources(root: Path, files: list[Path]) -> list[Path]:
    """The Python files that are the package."""
    first = [root / "__init__.py"]
    return first + [
        file for file in files if file.suffix == ".py" and file.relative_to(root).parts[0] in PACKAGE_FOLDERS
    ]


@pytest.fixture(scope="session")
def installed() -> importlib.metadata.Distribution:
    """tq as it was installed. A tree put on the path by hand is none; the test command insists on one."""
    try:
        return importlib.metadata.distribution("tq")
    except importlib.metadata.PackageNotFoundError:
        if os.environ.get("TQ_TEST_INSTALLED"):
            raise
        pytest.skip("tq is not installed here; run `make test`")
