"""When a fetch that was put off is tried again."""

from __future__ import annotations

import pytest
from tq.tasks.http.ends import RETRY_AFTER_SECONDS_MAX, retry_after

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("999999999999999999999", RETRY_AFTER_SECONDS_MAX),
        ("Wed, 21 Oct 2099 07:28:30 GMT", RETRY_AFTER_SECONDS_MAX),
        *(
            (value, None)
            for value in (
                None,
                "",
                "0",
                "-5",
                "1.5",
                "soon",
                "²",
                "Wed, 21 Oct 2015 07:27:00 GMT",
                "Wed, 99 Oct 2015",
            )
        ),
    ],
)
def test_a_server_is_obeyed_within_an_hour(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
