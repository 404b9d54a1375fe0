"""The glossary: each word once, in the order of the alphabet, and every subject of a cluster has one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

# What a subject of the contract is called in sentences, if not by its own name in the singular; None: what is observed has no
# word of its own.
NOUNS: Final[dict[str, str | None]] = {
    "audit": "audit log",
    "data": "named value",
    "dependencies": "need",
    "objects": "exposed object",
    "observe": None,
}
OWN: Final = {"exposed", "method", "rows", "table"}  # what contracts are made of


@pytest.fixture(scope="module")
def terms(root: Path) -> list[str]:
    page = (root / "docs/glossary.md").read_text("utf-8")
    return re.findall(r"^\*\*(.+?)\*\* — ", page, re.MULTILINE)


def test_every_paragraph_in_bold_is_a_word_with_its_meaning(root: Path, terms: list[str]) -> None:
    page = (root / "docs/glossary.md").read_text("utf-8")
    assert len(re.findall(r"^\*\*", page, re.MULTILINE)) == len(terms) > 20


def test_each_word_stands_once_and_in_its_order(terms: list[str]) -> None:
    assert terms == sorted(set(terms))


def test_every_subject_of_a_cluster_has_a_word(root: Path, terms: list[str]) -> None:
    subjects = {file.stem for file in (root / "common/contract").glob("*.py")} - OWN - {"__init__"}
    assert NOUNS.keys() <= subjects
    nouns = {NOUNS.get(subject, subject.removesuffix("s")) for subject in subjects} - {None}
    assert nouns - set(terms) == set()
