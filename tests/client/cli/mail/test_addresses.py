"""What is taken for an address, how it travels, and how a name stands beside it."""

from __future__ import annotations

import pytest
from tq.client.cli.mail.addresses import UnfitRecipient, domain_of, judged, sameness, shown


@pytest.mark.parametrize(
    ("text", "travels"),
    [
        ("anne@tq.example", "anne@tq.example"),
        ("  anne@tq.example ", "anne@tq.example"),
        ("a.b+c_d=e@mail.tq.example", "a.b+c_d=e@mail.tq.example"),
        ("O'Neil@tq.example", "O'Neil@tq.example"),
        ("anne@bücher.example", "anne@xn--bcher-kva.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_an_address_travels_in_ascii(text: str, travels: str) -> None:
    assert judged(text) == travels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no address"),
        ("  ", "there is no address"),
        ("anne", "looks like name@example.org"),
        ("@tq.example", "looks like name@example.org"),
        ("anne@", "looks like name@example.org"),
        ("ännchen@tq.example", "SMTPUTF8"),
        ("anne b@tq.example", "cannot stand before the @"),
        ("mailto:anne@tq.example", "cannot stand before the @"),
        ("Anne <anne@tq.example>", "cannot stand before the @"),
        (".anne@tq.example", "cannot stand before the @"),
        ("an..ne@tq.example", "cannot stand before the @"),
        ("a\nBcc: b@tq.example", "cannot stand before the @"),
        ("anne@tq", "no name of a domain"),
        ("anne@tq..example", "no name of a domain"),
        ("anne@-tq.example", "no name of a domain"),
        ("anne@tq.example.", "no name of a domain"),
        ("anne@tq example.org", "no name of a domain"),
        ("anne@127.0.0.1", "no name of a domain"),
        ("anne@" + "ü" * 80 + ".example", "no name of a domain"),
        ("a" * 65 + "@tq.example", "longer than an address"),
        ("anne@" + "tq." * 90 + "example", "longer than an address"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(UnfitRecipient, match=words):
        judged(text)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("Anne", "Anne <a@b.example>"),
        ("Lee, Anne", '"Lee, Anne" <a@b.example>'),
        ('Anne "Ann" Lee', '"Anne \\"Ann\\" Lee" <a@b.example>'),
        ("Änne  Löw", "Änne Löw <a@b.example>"),
        ("a@c.example", '"a@c.example" <a@b.example>'),
        (" ", "a@b.example"),
    ],
)
def test_a_name_is_quoted_as_it_needs(name: str, header: str) -> None:
    assert shown(name, "a@b.example") == header


def test_capitals_make_no_other_mailbox() -> None:
    assert sameness("Anne@TQ.example") == sameness("anne@tq.example")
    assert domain_of("Anne@TQ.example") == "tq.example"
