"""Templates and what becomes of them: escaping by place, headers that stay one line."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from tq.client.cli.mail.addresses import UnfitRecipient
from tq.client.cli.mail.command import make_letter
from tq.client.cli.mail.files import as_eml
from tq.client.cli.mail.letter import TemplatePart, split_template, unsubscribing
from tq.common.errors import InvalidArgument
from tq.tasks.mail import compose

ANNE = {"name": "Anne & Co", "email": "anne@tq.example", "id": "7/8", "last name": "Löw, sen."}
HEAD = "Subject: Hello $name\nFrom: Bob <bob@tq.example>\nTo: ${last name} <$email>\nReply-To: office@tq.example\n"


def letter(folder: Path, text: str = HEAD + "\nDear $name,\n", **given: Any) -> Any:
    (folder / "t.txt").write_text(text, "utf-8")
    options = {"html": None, "attach": (), "sender": None, "subject": None, "unsubscribe": None, **given}
    return make_letter(folder / "t.txt", **options)[0]


def test_a_row_becomes_a_message(tmp_path: Path) -> None:
    (tmp_path / "t.html").write_text("<p>Dear $name</p>", "utf-8")
    made = letter(
        tmp_path,
        html=tmp_path / "t.html",
        unsubscribe="https://tq.example/u?id=$id",
        attach=("bills/$name.pdf",),
    ).write(ANNE)
    assert (made.to, made.address) == ('"Löw, sen." <anne@tq.example>', "anne@tq.example")
    assert (made.sender, made.subject) == ("Bob <bob@tq.example>", "Hello Anne & Co")
    assert (made.text, made.html) == ("Dear Anne & Co,\n", "<p>Dear Anne &amp; Co</p>")
    assert made.headers == {
        "Reply-To": "office@tq.example",
        "List-Unsubscribe": "<https://tq.example/u?id=7%2F8>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert made.attachments == ("bills/Anne & Co.pdf",)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x85", "\u2028", "\0", "\x0b"])
@pytest.mark.parametrize("column", ["name", "last name", "email"])
def test_a_field_begins_no_other_header(tmp_path: Path, column: str, end: str) -> None:
    with pytest.raises(UnfitRecipient):
        letter(tmp_path).write(ANNE | {column: f"x{end}Bcc: victim@tq.example"})


def test_dollars_are_doubled_and_others_are_reported_with_their_line(tmp_path: Path) -> None:
    assert TemplatePart("$$5 for $name", "t.txt").write(ANNE) == "$5 for Anne & Co"
    with pytest.raises(
        InvalidArgument, match=r"t\.txt, line 2: '\$5' is no \$column; a dollar sign is written \$\$"
    ):
        TemplatePart("one\n$5", "t.txt")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_headers_on_top_are_split_off(end: str) -> None:
    headers, text = split_template(f"\ufeffSubject: a{end}X-Campaign: 7{end}{end}Dear: you{end}", "t.txt")
    assert headers == {"subject": "a", "x-campaign": "7"}
    assert text == "Dear: you\n"


def test_a_text_without_headers_is_all_text() -> None:
    assert split_template("Note: this\n\nthat\n", "t.txt") == ({}, "Note: this\n\nthat\n")


@pytest.mark.parametrize(
    "line", ["Bcc: a@b.example", "no header", "Subject: twice", "Content-Type: text/html"]
)
def test_headers_that_cannot_be_set_are_refused(line: str) -> None:
    with pytest.raises(InvalidArgument, match=r"t\.txt, line 2"):
        split_template(f"Subject: a\n{line}\n\ntext", "t.txt")


@pytest.mark.parametrize(
    ("text", "words"), [("text", "no subject"), ("Subject: a\n\ntext", "there is no sender")]
)
def test_a_letter_has_a_subject_and_a_sender(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        letter(tmp_path, text)


@pytest.mark.parametrize("url", ["http://a.example", "a.example", "https://a.example/>x", "mailto:a b"])
def test_a_place_to_unsubscribe_is_judged(url: str) -> None:
    with pytest.raises(InvalidArgument, match="write https"):
        unsubscribing(url)


def test_another_letter_is_another_campaign(tmp_path: Path) -> None:
    def name(text: str) -> str:
        (tmp_path / "t.txt").write_text(text, "utf-8")
        return make_letter(tmp_path / "t.txt", None, (), None, None, None)[1]

    assert name(HEAD + "\na") == name(HEAD + "\na") != name(HEAD + "\nb")


def test_a_message_looked_at_is_the_message_sent(tmp_path: Path) -> None:
    (tmp_path / "t.html").write_text("<p>Dear $name</p>", "utf-8")
    made = letter(tmp_path, html=tmp_path / "t.html").write(ANNE)
    attached = {"bill.pdf": b"%PDF\0\xff", "notes.txt": b"a\nb"}
    args, options = made.arguments(attached, None)
    to, subject, text, sender = args
    composed = compose(to, subject, text, sender=sender, message_id="<1@tq.example>", **options)
    sent = message_from_bytes(composed.as_bytes(), policy=policy.default)
    looked_at = message_from_bytes(as_eml(made, attached), policy=policy.default)
    assert [(name, str(value)) for name, value in looked_at.items() if name != "Content-Type"] == [
        (name, str(value))
        for name, value in sent.items()
        if name not in ("Message-ID", "Date", "Content-Type")
    ]
    kinds = [(part.get_content_type(), part.get_payload(decode=True)) for part in looked_at.walk()]
    assert kinds == [(part.get_content_type(), part.get_payload(decode=True)) for part in sent.walk()]
    assert as_eml(made, attached).isascii()
