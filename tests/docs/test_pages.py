"""Every block of README.md, CONTRIBUTING.md and docs/ is true: it is run, or read, or says why it is not.

How a page says what it needs is in pages.py; what may differ from run to run in likeness.py.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings, WorkerSettings, load_settings

from .pages import READ, ROOT, RUN, SHOWN, Block, commands_of, documents, read_page

PAGES = {page: read_page(page) for page in documents()}
EVERY = [block for blocks in PAGES.values() for block in blocks]
REASONS = ("needs ", "takes minutes", "shown in the abstract")
NOT_RUN_MAX = 34  # nine of them are one page, whose subject is three hosts
# Of a session that is run; one on several hosts says which: "a$ ".
PROMPT, PROMPT_OF_HOST = re.compile(r"\$ "), re.compile(r"\w*\$ ")
COLUMNS = 92  # of a program on the site, in a window of 1280 pixels
# A page kills what it started by job or process id: by name it would end what belongs to others.
BY_NAME = re.compile(r"\b(pkill|killall|pgrep|pidof)\b")


@pytest.mark.timeout(180)  # the first one waits for all that run beside it
@pytest.mark.parametrize("page", [name for name, blocks in PAGES.items() if any(b.runs for b in blocks)])
def test_a_page_does_what_it_says(page: str, verdict: Callable[[str], None]) -> None:
    verdict(page)


@pytest.mark.parametrize("block", [b for b in EVERY if b.language in READ], ids=lambda block: block.place)
def test_a_configuration_is_one(block: Block, tmp_path: Path) -> None:
    if block.note == "not run":
        return
    if block.language == "toml":
        file = tmp_path / "settings.toml"
        file.write_text(block.text, "utf-8")
        assert any(loads(kind, file) for kind in (MasterSettings, WorkerSettings)), block.place
    elif block.language == "ini":
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string(block.text)
        assert parser.sections()
    elif block.language == "json":
        json.loads(block.text)
    else:
        yaml = pytest.importorskip("yaml")
        assert all(document is not None for document in yaml.safe_load_all(block.text))


def loads(kind: Any, file: Path) -> bool:
    try:
        load_settings(kind, file, {}, {})
    except ConfigError:
        return False
    return True


def test_every_block_says_its_language() -> None:
    odd = [b.place for b in EVERY if b.language not in (*RUN, *READ, *SHOWN)]
    assert not odd, f"a fence is one of {RUN + READ + SHOWN}; mend {odd}"


def test_a_console_session_begins_with_a_prompt() -> None:
    sessions = [b for b in EVERY if b.language == "console"]
    odd = [b.place for b in sessions if not (PROMPT if b.runs else PROMPT_OF_HOST).match(b.text)]
    assert not odd


def test_what_is_not_run_says_why_and_is_little() -> None:
    left = [b for b in EVERY if b.note == "not run" and b.language in RUN]
    vague = [f"{b.place}: {b.detail}" for b in left if not b.detail.startswith(REASONS)]
    assert not vague, f"say <!-- not run: needs … -->, one of {REASONS}"
    assert len(left) <= NOT_RUN_MAX, "\n".join(f"{b.place}: {b.detail}" for b in left)


def test_no_page_ends_processes_by_name() -> None:
    commands = [c for b in EVERY if b.language == "console" and b.runs for c in commands_of(b)]
    assert not [c.text for c in commands if BY_NAME.search(c.text)]


def test_a_page_names_each_file_that_a_reader_has_to_write() -> None:
    """The comment that names it for this suite is not shown."""
    unnamed = []
    for page, blocks in PAGES.items():
        lines = (ROOT / page).read_text("utf-8").splitlines()
        for block in (one for one in blocks if one.note == "file"):
            above = [one for one in lines[max(0, block.line - 8) : block.line - 1] if "<!--" not in one]
            if not any(f"`{block.detail}`" in one for one in above):
                unnamed.append(f"{block.place}: {block.detail}")
    assert not unnamed, "say in the text above the block what the file is called"


def test_a_line_of_a_program_fits_the_site() -> None:
    long = [
        f"{block.page}: {line}"
        for block in EVERY
        if block.language == "python" and not block.hidden
        for line in block.text.splitlines()
        if len(line) > COLUMNS
    ]
    assert not long, f"on the site a line has {COLUMNS} columns, what is longer is cut off"
