"""The film on the first page: what a terminal shows is what is drawn, and the one that is kept shows a demo that held."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from .recording import COLUMNS, PICTURE, PROMPT, Screen, frames_of, picture

BAR = "\r\x1b[2Kmail \x1b[32m━━\x1b[0m 1/2\r\nsum 0/1"
LATER = "\r\x1b[2K\x1b[1A\x1b[2Kmail \x1b[32m━━━━\x1b[0m 2/2\r\nsum 1/1\r\n"


def lines(drawing: str) -> list[str]:
    """The lines of the last frame."""
    *_, last = ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}g")  # noqa: S314 - our own file
    return ["".join(text.itertext()) for text in last]


def test_a_bar_that_moves_stays_on_its_line() -> None:
    screen = Screen()
    screen.write(BAR)
    screen.write(LATER)
    assert screen.lines == [PROMPT, "mail \x1b[32m━━━━\x1b[0m 2/2", "sum 1/1", ""]


def test_the_last_frame_is_what_the_terminal_shows_at_the_end() -> None:
    drawn = picture(frames_of(iter([(0.0, BAR), (2.0, LATER), (2.1, "<done> & well\r\n")])))
    assert lines(drawn) == ["$ tq demo", "mail ━━━━ 2/2", "sum 1/1", "<done> & well"]


def test_the_film_that_is_kept_shows_a_demo_that_held() -> None:
    shown = lines(PICTURE.read_text("utf-8"))
    assert shown[-1] == "every check held"
    assert max(map(len, shown)) <= COLUMNS
    assert sum(line.startswith("killed ") and line.endswith("started it again") for line in shown) == 2
