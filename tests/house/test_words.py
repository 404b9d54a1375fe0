"""Plain words: what the glossary says is not written stands nowhere, in no code, comment, name or page.

The words are those of one table, "Words that are not used" in docs/glossary.md, each with the plain word to write. What is
older than the table is counted by folder; the counts only become smaller.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

GLOSSARY: Final = "docs/glossary.md"
HEADING: Final = "## Words that are not used"
ROW: Final = re.compile(r"^\| (?!---|not )(?P<words>[^|]+) \| (?P<plain>[^|]+) \|$", re.MULTILINE)
SUFFIXES: Final = {".py", ".md", ".sql", ".toml", ".yml", ".yaml", ".service", ".json"}
MIGRATIONS: Final = "master/store/sqlite/migrations/"  # what has run on a store stays as it was
# How often these words still stand in a folder, or a file of the top.
LEFT: Final[dict[str, int]] = {
    "tests/master": 4,  # columns of stores from before they were renamed
}


def banned(page: str) -> list[str]:
    """The words of the glossary's table, its order."""
    rows = ROW.finditer(page.partition(HEADING)[2])
    return [word.strip() for row in rows for word in row["words"].split(",")]


def pattern(words: list[str]) -> re.Pattern[str]:
    """Any of the words by itself, and as a part of a name: ``is_told``, ``_told_at``."""
    either = "|".join(re.escape(word).replace("\\ ", "[ _]") for word in words)
    return re.compile(rf"(?<![A-Za-z])(?:{either})(?![A-Za-z])", re.IGNORECASE)


def room_of(path: str) -> str:
    """The folder that a file is counted for: the first of its path; in the tests, the second too."""
    parts = path.split("/")
    return "/".join(parts[: 2 if parts[0] == "tests" and len(parts) > 2 else 1])


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / GLOSSARY).read_text("utf-8")


@pytest.fixture(scope="module")
def found(root: Path, files: list[Path], page: str) -> dict[str, list[str]]:
    """``path:line: word`` of each that stands somewhere, by folder. The table itself does not count."""
    searched = pattern(banned(page))
    places: dict[str, list[str]] = {}
    for file in files:
        path = file.relative_to(root).as_posix()
        if file.suffix not in SUFFIXES or path == "tests/house/test_words.py" or path.startswith(MIGRATIONS):
            continue
        text = file.read_text("utf-8")
        if path == GLOSSARY:
            text = text.partition(HEADING)[0]
        for number, line in enumerate(text.splitlines(), 1):
            places.setdefault(room_of(path), []).extend(
                f"{path}:{number}: {match[0]}" for match in searched.finditer(line)
            )
    return {room: lines for room, lines in places.items() if lines}


def test_no_folder_has_more_words_of_our_own_than_it_had(found: dict[str, list[str]]) -> None:
    more = {room: lines for room, lines in found.items() if len(lines) > LEFT.get(room, 0)}
    assert more == {}


def test_every_word_that_is_not_used_has_a_plain_one_beside_it(page: str) -> None:
    words = banned(page)
    assert len(words) > 20
    assert [word for word, count in Counter(words).items() if count > 1] == []


def test_a_word_is_found_by_itself_and_in_a_name_but_not_in_another_word() -> None:
    searched = pattern(["told", "for ever"])
    text = "it was told; _told_at, test_it_waits_for_ever; For ever\nuntold, forever"
    assert searched.findall(text) == ["told", "told", "for_ever", "For ever"]
