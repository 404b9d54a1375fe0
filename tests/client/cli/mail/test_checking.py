"""Everything wrong is found at once, before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.client.cli.mail.addresses import UnfitRecipient
from tq.client.cli.mail.checking import ATTACHED_BYTES_MAX, MailPlan, check
from tq.client.cli.mail.command import make_letter
from tq.client.cli.mail.table import read_table
from tq.common.errors import InvalidArgument

HEAD = "Subject: Hello $name\nFrom: bob@tq.example\n\n"


def plan(
    folder: Path, csv: str, text: str = HEAD + "Dear $name", size: int = 0, attach: tuple[str, ...] = ()
) -> MailPlan:
    def size_of(path: str) -> int:
        if path == "nowhere":
            raise UnfitRecipient("its attachment nowhere cannot be read")
        return size

    (folder / "t.txt").write_text(text, "utf-8")
    letter, _ = make_letter(folder / "t.txt", None, attach, None, None, None)
    return check(letter, read_table(csv.encode()), size_of)


def ended(plan: MailPlan) -> list[tuple[int, str]]:
    return [(problem.line, problem.text) for problem in plan.problems]


def test_good_rows_are_planned_with_their_domains(tmp_path: Path) -> None:
    made = plan(tmp_path, "name,email\nAnne,anne@A.example\nBob,bob@b.example\n")
    assert not made.problems
    assert not made.warnings
    assert [(one.address, one.domain) for one in made.recipients] == [
        ("anne@A.example", "a.example"),
        ("bob@b.example", "b.example"),
    ]
    assert made.domains == 2


def test_problems_are_reported_with_their_lines_in_order(tmp_path: Path) -> None:
    made = plan(tmp_path, 'name,email\nAnne,a@b.example\nBob\nCarl,c\nA,A@b.example\n"x\ny",d@b.example\n')
    assert [line for line, _ in ended(made)] == [3, 4, 5, 6]
    assert "A@b.example has a message by line 2 already" in ended(made)[2][1]
    assert [one.row.line for one in made.recipients] == [2]


def test_a_placeholder_without_a_column_is_reported_with_the_nearest(tmp_path: Path) -> None:
    made = plan(tmp_path, "Name,email,nane\nAnne,a@b.example,x\n")
    assert ended(made) == [
        (1, "Subject uses $name, which is no column; did you mean 'nane'?"),
        (1, "the text uses $name, which is no column; did you mean 'nane'?"),
    ]
    made = plan(tmp_path, "who,email\nAnne,a@b.example\n")
    assert "there are: who, email" in ended(made)[0][1]
    made = plan(tmp_path, "NAME,email\nAnne,a@b.example\n")
    assert "did you mean 'NAME'?" in ended(made)[0][1]


def test_a_file_without_addresses_is_reported(tmp_path: Path) -> None:
    assert ended(plan(tmp_path, "name,mail\nAnne,a@b.example\n")) == [
        (1, "To uses $email, which is no column; did you mean 'mail'?")
    ]


def test_an_empty_field_in_the_letter_is_noted(tmp_path: Path) -> None:
    made = plan(tmp_path, "name,email,other\n,a@b.example,\nBob,b@b.example,\n")
    assert made.warnings == ["$name is empty in 1 rows, first in line 2"]
    assert len(made.recipients) == 2


def test_a_bad_sender_is_reported_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"--from: 'bob' is not an address"):
        plan(tmp_path, "name,email\nA,a@b.example\nB,b@b.example\n", "Subject: a\nFrom: bob\n\ntext")


def test_what_does_not_fit_a_task_is_reported_with_the_ways_out(tmp_path: Path) -> None:
    made = plan(tmp_path, "name,email\nA,a@b.example\n", size=ATTACHED_BYTES_MAX + 1, attach=("big.iso",))
    assert (
        f"may have {ATTACHED_BYTES_MAX:,}; put the large file where people can fetch it" in ended(made)[0][1]
    )


def test_attachments_are_looked_at(tmp_path: Path) -> None:
    assert ended(plan(tmp_path, "name,email\nnowhere,a@b.example\n", attach=("$name",)))[0][1].endswith(
        "cannot be read"
    )
    made = plan(tmp_path, "name,email\nA,a@b.example\n", attach=("x/bill.pdf", "y/bill.pdf"))
    assert ended(made)[0][1] == "two of its attachments have the same name"
