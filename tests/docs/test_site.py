"""The site builds, the reference is the code's, and every command and setting is documented."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import tq
from tq.client.cli import SECTIONS

from .pages import documents
from .reference import PAGES, ROOT, programs, walk


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_the_reference_is_what_the_code_says(name: str, page: Callable[[], str]) -> None:
    assert (ROOT / name).read_text("utf-8") == page(), "run: python -m tests.docs.reference"


def test_every_public_name_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/api.md").read_text("utf-8")
    assert [
        name for name in tq.__all__ if name[0] != "_" and not re.search(rf"### {name}\n|\[{name}\]", text)
    ] == []


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
    missing = [page for page in documents() if f"({page})" not in text and page != "README.md"]
    assert not missing, "README.md: link them under More"


def test_the_site_builds_and_no_link_is_broken(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, f"a new page needs a line under nav in mkdocs.yml\n{done.stderr}"
    assert "A durable, encrypted task queue" in (tmp_path / "index.html").read_text("utf-8")
    assert (tmp_path / "configs" / "master.toml").exists()


def test_nothing_of_the_site_is_fetched_from_others(tmp_path: Path) -> None:
    """A reader behind a firewall sees all of it, and no one counts the readers."""
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=55, check=True)
    fetched = re.compile(r"<(?:script|img|link)[^>]+(?:src|href)=\"https?://[^\"]+\"")
    assert not [
        found for page in tmp_path.rglob("*.html") for found in fetched.findall(page.read_text("utf-8"))
    ]
