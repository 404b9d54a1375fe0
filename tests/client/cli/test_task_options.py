"""What the command line says of tasks becomes the options that a program would write."""

from __future__ import annotations

import pytest
import tq
from tq.client.cli.task_options import as_limit, given_options
from tq.common.errors import InvalidArgument


def test_a_limit_is_a_name_and_its_fields() -> None:
    assert as_limit("api max_running=3") == tq.Limit("api", max_running=3)
    assert as_limit("api rate=100/min burst=10 units=2 by='{a} {b}'") == tq.Limit(
        "api", rate="100/min", burst=10, units=2, by="{a} {b}"
    )


def test_what_was_not_given_is_no_option() -> None:
    assert given_options() == {}
    assert given_options(needs=["gpu=1", "mem=4G"], where="zone=eu", tenant="acme", tags=["order=a=b"]) == {
        "needs": {"gpu": "1", "mem": "4G"},
        "where": "zone=eu",
        "tenant": "acme",
        "tags": {"order": "a=b"},
    }


def test_a_deadline_is_a_time_from_the_submit() -> None:
    assert given_options(deadline="2min") == {"deadline": 120.0}
    with pytest.raises(InvalidArgument, match="--deadline 'noon': write 30s, 10min, 2h or 7d"):
        given_options(deadline="noon")


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("needs", "gpu", "--needs 'gpu': write --needs NAME=AMOUNT"),
        ("tags", "order", "write --tag NAME=TEXT"),
        ("limits", "api", "write tq.Limit('api', max_running=3)"),
        ("limits", "api running=3", "'running=3' is none of max_running=, rate="),
        ("limits", "api max_running=3 max_running=4", "each once"),
        ("limits", "api max_running=three", "max_running is a whole number, not 'three'"),
        ("limits", "api by='{a", "with quotes in pairs"),
        ("limits", "", "with quotes in pairs"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write(option: str, text: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        given_options(**{option: [text]})  # type: ignore[arg-type]
    assert words in str(refused.value)


def test_a_name_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="each name once"):
        given_options(tags=["a=1", "a=2"])
