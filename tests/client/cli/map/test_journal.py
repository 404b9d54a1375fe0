"""The journal: what another run learns from it, whatever happened to the one that wrote it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli.map.journal import Finished, Journal, Record, item_digest, line_id
from tq.common.domain.ids import show_id
from tq.common.domain.shards import shard_of_id
from tq.common.errors import InvalidArgument

WHAT = {"task": "jobs:up", "queue": "default", "input": "lines"}
FILE = (1, 2)


def line(number: int, shown: int = 0, raw: bytes | None = None, *, succeeded: bool = True) -> Record:
    return Record(number, item_digest(raw if raw is not None else b"%d" % number), succeeded, shown)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "of" / "a.journal"


def written(path: Path, *records: Record, output: tuple[int, int] | None = FILE) -> bytes:
    """A journal that a run left; its run."""
    journal = Journal.begin(path, WHAT)
    journal.shows_in(output, 0)
    journal.append(records)
    journal.close()
    return journal.run


def resumed(path: Path, output: tuple[int, int] | None = FILE, bytes_shown: int | None = None) -> Journal:
    return Journal.resume(path, WHAT, output, bytes_shown=bytes_shown)


def finished_in(
    path: Path, output: tuple[int, int] | None = FILE, bytes_shown: int | None = None
) -> Finished:
    with closing(resumed(path, output, bytes_shown)) as journal:
        return journal.finished


def test_another_run_learns_what_is_finished(path: Path) -> None:
    run = written(path, line(1, 10), line(3, 20), line(4, 20, succeeded=False))
    journal = resumed(path)
    finished = journal.finished
    assert journal.run == run
    assert [number in finished for number in range(1, 6)] == [True, False, True, True, False]
    assert [finished.succeeded(number) for number in (1, 4)] == [True, False]
    assert (finished.lines, finished.failed, finished.shown, finished.output) == (3, 1, 20, FILE)
    journal.close()


def test_a_torn_last_line_is_cut_off(path: Path) -> None:
    written(path, line(1, 10), line(2, 20))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        with closing(resumed(path)) as journal:
            run = journal.run
            assert journal.finished.lines == max(0, lines - 2)  # behind the head and the name of the output
            journal.append([line(7, 30)])
        with closing(resumed(path)) as again:
            assert again.run == run
            assert 7 in again.finished


def test_a_changed_line_is_reported(path: Path) -> None:
    written(path, line(1), line(2))
    finished = finished_in(path)
    finished.check(1, b"1")
    finished.check(9, b"anything")
    with pytest.raises(InvalidArgument, match="line 2 of the input is not what it was"):
        finished.check(2, b"two")


def test_a_shorter_input_is_reported(path: Path) -> None:
    written(path, line(1), line(5))
    finished = finished_in(path)
    finished.check_end(5)
    with pytest.raises(InvalidArgument, match=r"has 4 lines.*knows of line 5"):
        finished.check_end(4)


@pytest.mark.parametrize("name", ["task", "queue", "input"])
def test_another_command_is_reported(path: Path, name: str) -> None:
    written(path)
    with pytest.raises(InvalidArgument, match=f"a run with {name} "):
        Journal.resume(path, {**WHAT, name: "other"}, FILE, bytes_shown=None)


@pytest.mark.parametrize("text", [b"something else\n", b"{}\n", b'{"tq": "map", "version": 9}\n', b"[]\n"])
def test_what_is_no_journal_is_reported_and_left_alone(path: Path, text: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(InvalidArgument, match="not a journal"):
        resumed(path)
    assert path.read_bytes() == text


@pytest.mark.parametrize(
    "damage", ["1 zz + 5", "0 00000001 + 5", "1 00000001 * 5", "1 2", '{"output": 3}', "{"]
)
def test_a_damaged_line_is_reported(path: Path, damage: str) -> None:
    written(path)
    with path.open("a") as file:
        file.write(damage + "\n")
    with pytest.raises(InvalidArgument, match=r"line 3 of .* damaged"):
        resumed(path)


def test_a_journal_is_begun_once_and_gone_on_with_by_one(path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no journal"):
        resumed(path)
    with (
        closing(Journal.begin(path, WHAT)),
        pytest.raises(InvalidArgument, match="another process"),
    ):
        resumed(path)
    with pytest.raises(InvalidArgument, match="go on with --resume"):
        Journal.begin(path, WHAT)


def test_a_line_that_failed_and_then_succeeded_counts_once(path: Path) -> None:
    written(path, line(1, succeeded=False), line(2, succeeded=False), line(1))
    finished = finished_in(path)
    assert (finished.lines, finished.failed) == (2, 1)
    assert finished.succeeded(1)


def test_only_what_the_output_still_has_is_believed_when_asked(path: Path) -> None:
    written(path, line(1, 10), line(2, 20), line(3, 30))
    finished = finished_in(path, bytes_shown=25)
    assert [number in finished for number in (1, 2, 3)] == [True, True, False]
    assert finished.shown == 20
    assert finished_in(path, output=(9, 9), bytes_shown=0).lines == 3  # they were shown elsewhere


def test_a_run_that_showed_nothing_more_keeps_the_place_in_the_output(path: Path) -> None:
    written(path, line(1, 10))
    journal = resumed(path)
    journal.shows_in(FILE, 10)
    journal.close()
    assert finished_in(path).shown == 10


def test_it_is_known_whether_the_last_run_ended_in_good_order(path: Path) -> None:
    written(path, line(1, 10))
    assert not finished_in(path).in_good_order
    with closing(resumed(path)) as journal:
        journal.end(10)
    assert finished_in(path).in_good_order
    with closing(resumed(path)) as journal:
        journal.shows_in(FILE, 10)
    assert not finished_in(path).in_good_order


@given(st.binary(min_size=16, max_size=16), st.integers(1, 2**32 - 2))
def test_ids_are_uuids_that_follow_from_run_and_number_and_neighbours_are_consecutive(
    run: bytes, number: int
) -> None:
    id = line_id(run, number, 3)
    assert id == line_id(run, number, 3)
    assert int.from_bytes(line_id(run, number + 1, 3), "big") == int.from_bytes(id, "big") + 1
    assert (show_id(id)[14], shard_of_id(id)) == ("8", 3)
    assert show_id(id)[19] in "89ab"


@given(st.binary(max_size=50))
def test_a_digest_is_never_0_and_has_room_for_a_bit(raw: bytes) -> None:
    assert 0 < item_digest(raw) < 2**31


def test_two_runs_of_one_millisecond_have_different_ids() -> None:
    one, other = (b"\x01" * 8 + bytes([last]) * 8 for last in (1, 2))
    assert line_id(one, 7, 0) != line_id(other, 7, 0)


def test_nothing_is_finished_in_a_new_run() -> None:
    finished = Finished()
    assert 1 not in finished
    finished.check_end(0)
