"""Leaves that are refused: which ones, what travels, and what a caller remembers."""

from __future__ import annotations

import datetime
import logging
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.auth.known_masters import VARIABLE
from tq.common.auth.leaf import VALID_DAYS, Leaf
from tq.common.auth.revoked import (
    DIGEST_BYTES,
    FORGOTTEN_SECONDS,
    LINES_MAX,
    REVOKED_MAX,
    Learnt,
    Revocation,
    RevokedMemory,
    digest_of,
    from_wire,
    latest,
    revoked_at,
    to_wire,
)
from tq.common.errors import Rejected
from tq.common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, pack

PIN, OTHER = b"p" * 32, b"q" * 32
NOW = int(time.time())


def leaf(name: str = "b.example", made: int = NOW) -> Leaf:
    at = datetime.datetime.fromtimestamp(made, datetime.UTC)
    return Leaf(name, "1f", at, at + datetime.timedelta(days=VALID_DAYS))


def revocation(name: str = "b.example", moment: int = NOW) -> Revocation:
    return Revocation(digest_of(name), moment)


@pytest.fixture
def memory(tmp_path: Path) -> RevokedMemory:
    return RevokedMemory(tmp_path / "state" / "revoked_masters", {})


@pytest.mark.parametrize(
    ("name", "seconds_later", "is_refused"),
    [
        ("b.example", -1, True),
        ("b.example", 0, True),
        ("b.example", 1, False),
        ("B.example", -1, False),
        ("b.example.org", -1, False),
    ],
)
def test_leaves_of_the_name_made_up_to_the_moment_are_refused(
    name: str, seconds_later: int, is_refused: bool
) -> None:
    made = leaf(name, NOW + seconds_later)
    assert (revoked_at(made, [revocation(), revocation("c", NOW + 9)]) == NOW) == is_refused


def test_of_one_name_the_latest_moment_counts_and_one_that_has_passed_is_forgotten() -> None:
    old = revocation("old", NOW - FORGOTTEN_SECONDS - 1)
    kept = revocation("kept", NOW - FORGOTTEN_SECONDS)
    assert latest([revocation(moment=5 + NOW), old, revocation(), kept], NOW) == [
        kept,
        revocation(moment=5 + NOW),
    ]
    last = leaf("old", old.moment)
    assert last.until.timestamp() < NOW, "what it refused has ended by itself"


def test_as_many_as_may_be_revoked_fit_a_welcome() -> None:
    rows = to_wire([revocation(str(number), 2**40 - 1) for number in range(REVOKED_MAX)])
    assert len(pack([b"s" * 32, pack([b"s" * 16, 5.0, 2**31, "1" * 64, 4096, rows])])) < (
        HANDSHAKE_FRAME_BYTES_MAX
    )
    assert from_wire([*rows, rows[0]]) is None


@given(
    st.lists(
        st.builds(
            Revocation, st.binary(min_size=DIGEST_BYTES, max_size=DIGEST_BYTES), st.integers(0, 2**40 - 1)
        ),
        min_size=1,
        max_size=9,
    )
)
def test_what_is_sent_is_what_arrives(sent: list[Revocation]) -> None:
    assert from_wire(to_wire(sent)) == sent


@pytest.mark.parametrize(
    "rows",
    [
        [],
        {},
        None,
        5,
        [5],
        [[]],
        [[b"s", 1]],
        [[b"s" * 16, -1]],
        [[b"s" * 16, 2**40]],
        [["s" * 16, 1]],
        [[b"s" * 16, 1.5]],
        [[b"s" * 16, 1, 1]],
    ],
)
def test_what_is_no_list_of_revocations_is_none(rows: object) -> None:
    assert from_wire(rows) is None


def test_what_was_learnt_is_known_to_the_next_program_and_of_its_cluster_alone(memory: RevokedMemory) -> None:
    memory.learn(PIN, [revocation()])
    next_one = RevokedMemory(memory.file, {})
    assert next_one.moment(PIN, leaf()) == NOW
    assert next_one.moment(OTHER, leaf()) is None
    assert next_one.moment(PIN, leaf(made=NOW + 1)) is None
    assert memory.file is not None
    assert memory.file.stat().st_mode & 0o777 == 0o600


def test_what_is_learnt_twice_is_written_once_and_nothing_is_unlearnt(memory: RevokedMemory) -> None:
    memory.learn(PIN, [revocation(), revocation("c")])
    assert memory.file is not None
    written = memory.file.stat()
    memory.learn(PIN, [revocation()])
    assert memory.file.stat().st_ino == written.st_ino
    memory.learn(OTHER, [revocation("d")])
    assert RevokedMemory(memory.file, {}).moment(PIN, leaf("c")) == NOW


def test_the_file_is_bounded_and_keeps_the_latest(memory: RevokedMemory) -> None:
    for number in range(LINES_MAX // REVOKED_MAX + 1):
        its = [revocation(str(one), NOW - 50 + number) for one in range(REVOKED_MAX)]
        memory.learn(bytes([number]) * 32, its)
    assert memory.file is not None
    assert len(memory.file.read_text().splitlines()) == LINES_MAX
    fresh = RevokedMemory(memory.file, {})
    assert fresh.moment(bytes(32), leaf("1", NOW - 60)) is None
    assert fresh.moment(bytes([1]) * 32, leaf("1", NOW - 60)) is not None


def test_where_no_file_can_be_written_the_process_remembers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("no directory")
    learnt: Learnt = {}
    memory = RevokedMemory(tmp_path / "state" / "revoked_masters", learnt)
    with caplog.at_level(logging.WARNING):
        memory.learn(PIN, [revocation()])
    assert "which masters are revoked is not remembered beyond this process" in caplog.text
    assert RevokedMemory(None, learnt).moment(PIN, leaf()) == NOW


@pytest.mark.parametrize("text", ["a line", "zz 00 1 day", f"{PIN.hex()} 00 when day"])
def test_a_damaged_file_refuses_leaves_with_its_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "revoked_masters"
    file.write_text(text + "\n")
    file.chmod(0o600)
    with pytest.raises(Rejected, match=r"line 1 of .*revoked_masters is damaged; delete the file"):
        RevokedMemory(file, {}).moment(PIN, leaf())


def test_a_file_that_others_may_change_is_not_believed(memory: RevokedMemory) -> None:
    memory.learn(PIN, [revocation()])
    assert memory.file is not None
    memory.file.chmod(0o666)
    with pytest.raises(
        Rejected, match="by which revoked masters are recognised, may be written to by others"
    ):
        RevokedMemory(memory.file, {}).moment(PIN, leaf())


def test_it_lies_beside_the_known_masters(tmp_path: Path) -> None:
    assert RevokedMemory.own({VARIABLE: str(tmp_path / "known")}).file == tmp_path / "revoked_masters"
    assert RevokedMemory.own({VARIABLE: "off"}).file is None
    own = RevokedMemory.own({}).file
    assert own is not None
    assert own.parts[-2:] == ("tq", "revoked_masters")
