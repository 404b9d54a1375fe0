"""A cron text in words."""

from __future__ import annotations

import pytest
from tq.web.cron_words import cron_in_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 3 * * *", "at 03:00"),
        ("0 3 * * 1-5", "at 03:00, on Monday to Friday"),
        ("30 8,20 1 * *", "at 08:30 and 20:30, on day 1"),
        ("*/15 * * * *", "every 15 minutes"),
        ("5 * * * *", "at minute 5 of every hour"),
        ("* 9-17 * * MON,fri", "every minute, in the hours 9 to 17, on Monday and Friday"),
        ("0 0 1 1,JUL *", "at 00:00, on day 1, in January and July"),
        ("0 0 13 * 5", "at 00:00, on day 13 or on Friday"),
        ("0 0 * * 0", "at 00:00, on Sunday"),
        ("0 0 * * 7", "at 00:00, on Sunday"),
        (
            "0 0 */10 */3 *",
            "at 00:00, on day 1, then every 10 from there, in January, then every 3 from there",
        ),
        ("0 0 L * *", "at 00:00, on day L"),
        ("0 0 * * 5#2", "at 00:00, on 5#2"),
    ],
)
def test_a_rule_is_said_in_words(text: str, words: str) -> None:
    assert cron_in_words(text) == words
