"""A message made from any text: no header that was not set, and what was given is what a reader reads."""

from __future__ import annotations

import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import tq
from hypothesis import example, given
from hypothesis import strategies as st
from tq.tasks.message import compose, finished

ANNE, BOB, ID = "anne@tq.example", "bob@tq.example", "<1@tq.example>"
INJECTION = "=?utf-8?q?x=0D=0ABcc:_third=40evil.example=0D=0A=0D=0APay_to_...?="
OURS = [
    "To",
    "From",
    "Subject",
    "Message-ID",
    "Date",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
]
PIECES = st.sampled_from(
    [
        "a",
        "Grüße",
        "日本",
        "😀",
        " ",
        "  ",
        "=?",
        "?=",
        "=?utf-8?b?DQpCY2M6?=",
        INJECTION,
        "a" * 70,
        "(",
        ")",
        "\\",
        '"',
        "\t",
        "<",
        ",",
        "and",
    ]
)
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300
)
# Pythons of this machine with the oldest decoding; a check of theirs would be a check of the same library.
OTHERS = [home / "bin" / "python" for home in Path.home().glob(".pyenv/versions/3.1[12].*")]


def made(subject: str = "Hello", text: str = "text", **options: Any) -> EmailMessage:
    """Composed, written, and read by a strict parser."""
    given = {"sender": BOB, "message_id": ID, "to": ANNE, **options}
    content = finished(compose(given.pop("to"), subject, text, **given))
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    read = message_from_bytes(content, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


@given(TEXTS)
@example(INJECTION)
@example("a; " + "Ü" * 60 + " )")
@example("Grüße " * 30)
@example(") \t")
def test_a_subject_of_any_text_is_read_as_it_was_written(subject: str) -> None:
    read = made(subject)
    assert read["Subject"] == subject
    assert sorted(read.keys()) == sorted(OURS)


@given(TEXTS)
@example(INJECTION)
def test_any_text_in_a_header_sets_that_header_and_no_other(value: str) -> None:
    read = made(headers={"X-Note": value})
    assert read["X-Note"] == value
    assert sorted(read.keys()) == sorted([*OURS, "X-Note"])


@given(st.lists(PIECES.filter(lambda one: one not in '"\\\t'), min_size=1, max_size=12).map("".join))
@example(INJECTION)
@example("Müller, Änne (Büro)")
def test_any_name_stands_before_its_address(name: str) -> None:
    quoted = '"' + name.replace('"', '\\"') + '"'
    read = made(
        to=f"{quoted} <{ANNE}>", sender=f"{quoted} <{BOB}>", headers={"Reply-To": f"{quoted} <{BOB}>, {ANNE}"}
    )
    assert [one.addr_spec for one in read["To"].addresses] == [ANNE]
    assert [one.addr_spec for one in read["Reply-To"].addresses] == [BOB, ANNE]
    assert _without_spaces(read["To"].addresses[0].display_name) == _without_spaces(name)
    assert sorted(read.keys()) == sorted([*OURS, "Reply-To"])


def _without_spaces(text: str) -> str:
    """In a name Python's parser keeps the fold between two encoded words (3.11), and joins what was folded."""
    return "".join(text.split())


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=255))
@example(INJECTION + ".pdf")
@example("Rechnung für Änne Müller über " + "sehr " * 30 + "viel.pdf")
@example("data:text/x-y;a=b,c")
@example('a"; filename="b.exe')
def test_any_name_of_an_attachment_is_its_name_and_nothing_else(name: str) -> None:
    [part] = made(attachments={name: b"\0"}).iter_attachments()
    assert part.get_filename() == name.strip()  # as the library gives any name
    assert part.get_content() == b"\0"
    assert sorted(part.keys()) == [
        "Content-Disposition",
        "Content-Transfer-Encoding",
        "Content-Type",
        "MIME-Version",
    ]
    assert part.get_content_maintype() in (
        "application",
        "image",
        "audio",
        "video",
        "font",
        "model",
        "chemical",
    )


@pytest.mark.parametrize(
    "where", ["to", "sender", "subject", "message_id", "header", "header name", "attachment", "reply-to"]
)
def test_what_could_end_a_line_is_given_up_at_once_wherever_it_stands(where: str) -> None:
    for bad in ("\n", "\r", "\0", "\x0b", "\x1c", "\x85", "\u2028", "\x9b", "\udcff"):
        text = f"x{bad}Bcc: victim@tq.example"
        options: dict[str, Any] = {
            "header": {"headers": {"X-Note": text}},
            "header name": {"headers": {text: "x"}},
            "reply-to": {"headers": {"Reply-To": f"{text} <{BOB}>"}},
            "attachment": {"attachments": {text: b""}},
            "to": {"to": f"{text} <{ANNE}>"},
            "sender": {"sender": f"{text} <{BOB}>"},
        }.get(where, {where: text})
        with pytest.raises(tq.Discard, match="cannot be sent"):
            made(**options)


@pytest.mark.parametrize(
    "name", ["Subject", "to", "FROM", "Message-Id", "Date", "MIME-Version", "Content-Type"]
)
def test_a_header_that_has_an_argument_is_set_by_it_alone(name: str) -> None:
    with pytest.raises(tq.Discard, match="argument of its own"):
        made(headers={name: "x"})


@pytest.mark.parametrize(
    "options",
    [{"attachments": {"": b""}}, {"attachments": {"a" * 256: b""}}, {"text": "\udcff"}, {"subject": 7}],
)
def test_what_no_attempt_could_send_is_given_up_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(tq.Discard, match="cannot be sent"):
        made(**options)


def test_a_header_for_programs_is_left_as_it_is() -> None:
    url = f"<https://tq.example/u?id={'x' * 300}>"
    message = compose(
        ANNE,
        "Hello",
        "text",
        sender=BOB,
        message_id=ID,
        headers={"List-Unsubscribe": url, "List-Id": "Bücher <b.tq.example>"},
    )
    content = finished(message)
    assert f"List-Unsubscribe: {url}\r\n".encode() in content
    assert b"?= <b.tq.example>\r\n" in content


def test_headers_changed_after_the_check_are_not_sent() -> None:
    message = compose(ANNE, "Hello", "text", sender=BOB, message_id=ID)
    message["X-Late"] = "x\r\n\r\nbody"
    with pytest.raises(tq.Discard, match="not be those that were set"):
        finished(message)


@pytest.mark.parametrize("python", OTHERS, ids=lambda path: path.parts[-3])
def test_an_older_python_makes_the_same_head(python: Path) -> None:
    """Its ``email`` writes the line breaks that it finds in an encoded word."""
    file = Path(sys.modules[compose.__module__].__file__ or "")
    program = (
        "import importlib.util, sys, types\n"
        "sys.modules['tq'] = types.SimpleNamespace(Discard=ValueError)\n"
        f"spec = importlib.util.spec_from_file_location('message', {str(file)!r})\n"
        "made = importlib.util.module_from_spec(spec); spec.loader.exec_module(made)\n"
        f"given = {INJECTION!r}\n"
        f"message = made.compose({ANNE!r}, given, 't', sender={BOB!r}, message_id={ID!r}, headers={{'X-Note': given}}, attachments={{given: b''}})\n"
        "sys.stdout.buffer.write(made.finished(message))\n"
    )
    done = subprocess.run([python, "-c", program], capture_output=True, check=True, timeout=30)
    assert b"Bcc" not in done.stdout.split(b"\r\n\r\n")[0].replace(b"=0D=0ABcc", b"")
    read = message_from_bytes(done.stdout, policy=policy.default)
    assert (read["Subject"], read["X-Note"], read["Bcc"]) == (INJECTION, INJECTION, None)
