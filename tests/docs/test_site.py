"""The site builds, the reference is the code's, and every command and setting is documented."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import tq
from tq.client.cli import SECTIONS

from .pages import documents
from .reference import PAGES, ROOT, programs, walk

FRAMES = (
    "docs/index.md",
    "docs/contributing/index.md",
    "docs/changelog.md",
)  # pages of the site that include others
BUILD = (sys.executable, "-P", "-m", "sphinx", "-q", "-W", "--keep-going")


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_the_reference_is_what_the_code_says(name: str, page: Callable[[], str]) -> None:
    assert (ROOT / name).read_text("utf-8") == page(), "run: python -m tests.docs.reference"


def test_every_public_name_is_explained_where_it_is_defined() -> None:
    silent = [name for name in tq.__all__ if name[0] != "_" and not getattr(tq, name).__doc__]
    assert not silent


def test_the_page_of_commands_lists_every_command() -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    names = [name for part in SECTIONS.values() for name in part]
    missing = [name for name in names if not re.search(rf"^\|.*`tq {name}\b", text, re.MULTILINE)]
    assert not missing, f"docs/commands.md: a row for {missing}"


def test_every_option_of_every_command_is_on_some_page() -> None:
    """Also those that a help screen leaves out."""
    text = "".join((ROOT / page).read_text("utf-8") for page in documents())
    missing = [
        f"{path} {option}"
        for name, program in programs().items()
        for path, command in walk(name, program)
        for one in command.params
        if isinstance(one, click.Option)
        for option in one.opts[:1]
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text)
    ]
    assert not missing, f"say on a page under docs/ what these are: {missing}"


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    missing = [page for page in documents() if f"({page})" not in text and page not in ("README.md", *FRAMES)]
    assert not missing, "README.md: link them under More"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages as the readers get them. Building takes some seconds; any warning fails."""
    pytest.importorskip("sphinx")
    place = tmp_path_factory.mktemp("site")
    command = [*BUILD, "-d", str(place / "doctrees"), "docs", str(place / "html")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return place / "html"


@pytest.mark.timeout(120)
def test_the_site_builds_without_a_warning(site: Path) -> None:
    assert "A durable, encrypted task queue" in (site / "index.html").read_text("utf-8")


@pytest.mark.timeout(120)
def test_nothing_of_the_site_is_fetched_from_others(site: Path) -> None:
    """A reader behind a firewall sees all of it, and no one counts the readers."""
    fetched = re.compile(r"<(?:script|img|link)[^>]+(?:src|href)=\"https?://[^\"]+\"")
    imported = re.compile(r"url\(['\"]?https?://|@import ['\"]?https?://")
    assert not [found for page in site.rglob("*.html") for found in fetched.findall(page.read_text("utf-8"))]
    assert not [found for page in site.rglob("*.css") for found in imported.findall(page.read_text("utf-8"))]


@pytest.mark.timeout(120)
def test_every_public_name_is_in_the_reference(site: Path) -> None:
    text = (site / "reference/api.html").read_text("utf-8")
    missing = [name for name in tq.__all__ if name[0] != "_" and f'id="tq.{name}"' not in text]
    methods = [
        name
        for name in vars(tq.Task).keys() | vars(tq.Task.__base__).keys()
        if name[0] != "_" and name not in ("parts", "made_by", "failure_handler")  # for the modules beside it
    ]
    missing += [f"Task.{name}" for name in methods if f'id="tq.Task.{name}"' not in text]
    assert not missing, f"docs/reference/api.md: a line for {missing}"


def test_the_names_of_python_are_those_that_are_listed() -> None:
    listed = (ROOT / "docs/python.txt").read_bytes().split(b"\n", 4)
    kept = (ROOT / "docs/python.inv").read_bytes().split(b"\n", 4)
    assert kept[:3] == listed[:3]
    assert zlib.decompress(kept[4]).split() == listed[4].split(), "see docs/conf.py for the command"


def test_the_figures_beside_others_are_those_that_were_measured() -> None:
    text, measured = (
        (ROOT / "README.md").read_text("utf-8"),
        (ROOT / "docs/performance.md").read_text("utf-8"),
    )
    [row] = re.findall(r"^\| no-op tasks, two workers \|.*$", text, re.MULTILINE)
    figures = re.findall(r"\d[\d,]*(?= ?/s|,? and| to)|(?<=to )\d[\d,]*", row)
    assert len(figures) == 6
    assert [one for one in figures if f"{one} /s" not in measured] == []
