"""A subject stands under one name wherever it stands: what is asked of a store, each kind of store, its SQL, its tests."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from .syntax import nodes, parsed

STORES: Final = ("sqlite",)
SAME_VERBS: Final = ("postgres",)  # a kind whose verbs are those of another: only where the rows end differs
# Of a kind of store, and no subject: what its verbs are made of.
OWN: Final = {
    "sqlite": {
        "compaction",  # a file written again without what is unused
        "executor",  # runs the statements
        "inspection",  # a file examined without changing it
        "listing",  # the conditions of a listing, which are put together
        "leases",  # of tasks, how those are leased that come first
        "named_leases",  # of tasks, how those are leased that are named
        "ordered_leases",  # of tasks, how those of a lane are leased that has an order of its own
        "part",  # what subjects with a part of their own have in common
        "neighbours",  # what other processes read of a file
        "remedies",  # what SQLite's errors mean
        "slice_leases",  # how parts of ready slices are leased
        "slice_ends",  # how tasks of leased slices succeed
        "slice_groups",  # which of them are of one leased slice
        "slice_table",  # how slices are read and split
        "slice_views",  # the tasks of slices, for the queries of tasks
        "statements",  # reads sql/
    },
}
# Subjects of the store without a folder of that name in master/, and the module that uses them.
ELSEWHERE: Final = {
    "store": "engine/engine.py",
    "attempt_output": "tasks/attempt_output.py",
    "counts": "tasks/expiry.py",
    "ended": "observe/attempts.py",
    "lines": "tasks/lines.py",
    "queries": "tasks/queries.py",
    "retention": "tasks/expiry.py",
    "routes": "tasks/routes.py",
    "series": "observe/series.py",
    "slices": "tasks/leases.py",
    "space": "engine/unused_space.py",
    "unhandled": "tasks/failure_handlers.py",
    "uniques": "tasks/uniques.py",
}
# Folders of master/ that keep nothing in the store.
KEEP_NOTHING: Final = {
    "api": "which method is called",
    "engine": "the transactions of all subjects; its notes are the store's own",
    "gateway": "connections of multiprocessing",
    "links": "hands on what others keep",
    "net": "connections",
    "objects": "objects of the user, gone with the process",
    "observe": "what is counted in memory, or read from other subjects",
    "standby": "what a master does that does not serve",
    "store": "the store itself",
}


def stems(folder: Path, ending: str) -> set[str]:
    return {file.stem for file in folder.glob(f"*{ending}")} - {"__init__"}


@pytest.fixture
def subjects(root: Path) -> set[str]:
    return stems(root / "master/store/interface", ".py")


@pytest.mark.parametrize("kind", STORES)
def test_a_kind_of_store_has_a_file_for_each_subject_and_no_other(
    root: Path, subjects: set[str], kind: str
) -> None:
    assert stems(root / "master/store" / kind, ".py") - OWN[kind] == subjects


def test_each_subject_has_a_file_of_sql_and_no_other_is_there(root: Path, subjects: set[str]) -> None:
    assert stems(root / "master/store/sqlite/sql", ".sql") == subjects


def test_every_folder_of_a_store_is_a_kind_of_store(root: Path) -> None:
    folders = {
        folder.name for folder in (root / "master/store").iterdir() if (folder / "__init__.py").exists()
    }
    assert folders == {"interface", *STORES, *SAME_VERBS}


def test_what_every_store_must_do_is_tested_subject_by_subject(root: Path, subjects: set[str]) -> None:
    tested = {stem.removeprefix("test_") for stem in stems(root / "tests/master/store", ".py")}
    assert subjects <= tested, f"no test of {', '.join(sorted(subjects - tested))}"


def test_tests_of_all_stores_know_none_by_name(root: Path, subjects: set[str]) -> None:
    """One fixture opens them; what one of them does by itself is tested in the folder of its name."""
    files = {*(f"test_{subject}" for subject in subjects), "test_moves", "tasks"}
    knowing = [
        name
        for name in sorted(files)
        if "sqlite" in (root / f"tests/master/store/{name}.py").read_text("utf-8").lower()
    ]
    assert knowing == []


def test_a_subject_of_the_store_is_a_folder_of_the_master(root: Path, subjects: set[str]) -> None:
    folders = {folder.name for folder in (root / "master").iterdir() if (folder / "__init__.py").exists()}
    assert subjects - set(ELSEWHERE) == folders - set(KEEP_NOTHING)
    assert [path for path in ELSEWHERE.values() if not (root / "master" / path).exists()] == []


def test_only_the_composition_root_and_the_checks_of_files_know_a_kind_of_store(root: Path) -> None:
    allowed = {
        "addresses.py",
        "app.py",
        "check.py",
        "check_database.py",
        "check_shards.py",
        "cluster_identity.py",
        "compact.py",
        "copying.py",
        "linked_shards.py",
        "processes.py",
        "shard_resources.py",
        "shared_cluster.py",
        "sharing.py",
        "waiting_turn.py",
    }
    knowing = {
        str(file.relative_to(root / "master"))
        for file in (root / "master").rglob("*.py")
        for kind in (*STORES, *SAME_VERBS)
        if f"{kind}." in "".join(line for line in file.read_text("utf-8").splitlines() if "import" in line)
        and not any(file.is_relative_to(root / "master/store" / one) for one in (kind, *SAME_VERBS))
    }
    assert knowing == allowed


def test_only_the_transaction_itself_has_submits_written(root: Path) -> None:
    """The store asks for it before every look (``Store.before_looks``), the engine before calls that read and at the end."""
    asking = {
        file.relative_to(root).as_posix()
        for file in (root / "master").rglob("*.py")
        for node in nodes(parsed(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "settle"
        and "dispatch" in ast.unparse(node.func.value).lower()
    }
    assert asking == {"master/task_parts.py"}
