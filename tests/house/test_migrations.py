"""Migrations are numbered one after the other: a store counts them, and two that had the same number would change places."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "master" / "store" / "sqlite" / "migrations"


def test_each_migration_has_the_next_number() -> None:
    numbers = sorted(int(file.name.partition("_")[0]) for file in FOLDER.glob("*.sql"))
    assert numbers == list(range(1, len(numbers) + 1)), "take the next free number for the one that came last"
