"""What counts as the same output, and how a page is read."""

from __future__ import annotations

import time

import pytest

from .likeness import likeness, with_ids
from .pages import blocks_of, commands_of

ONE, OTHER = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b", "01a20b82-676b-711f-a98e-ef3c92727e44"


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("49", "49\n"),
        ("took 3 min", "took 1.2 s"),
        ("a   b", "a b"),
        ("first\n…\nlast", "first\n2\n3\nlast"),
        ("first\n…\n", "first\n"),
        ("…\nlast", "last\n"),
        ("at 2026-11-23T10:00:00Z", "at 2027-01-01T00:00:00.123Z"),
        ("30,900 /s", "12 /s"),
        ("id ───── x", "id ───────── x"),
    ],
)
def test_what_may_differ_is_the_same(shown: str, printed: str) -> None:
    assert likeness(shown, printed) == {}


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("49", "50"), ("49", "49\nand more"), ("took 3 min", "took long"), (f"{ONE} {ONE}", f"{ONE} {OTHER}")],
)
def test_a_difference_that_must_not_be_is_reported(shown: str, printed: str) -> None:
    assert likeness(shown, printed) is None


def test_an_id_on_the_page_becomes_the_one_of_the_run() -> None:
    ids = likeness(f"{ONE}  ready", f"{OTHER}  ready")
    assert ids == {ONE: OTHER}
    assert with_ids(f"tq show {ONE}", ids) == f"tq show {OTHER}"


PAGE = """# A page
<!-- file: jobs.py -->
```python
x = 1
```
<!-- before python
rows = [1]
-->
```console
$ tq a \\
    b
out
$ tq c
```
```{eval-rst}
.. autoclass:: tq.App
```
<!-- not run: needs docker -->
```console
$ docker run x
```
"""


def test_a_page_is_read() -> None:
    file, before, console, docker = blocks_of("p.md", PAGE)
    assert (file.note, file.detail, file.text, file.line) == ("file", "jobs.py", "x = 1\n", 4)
    assert (before.hidden, before.language, before.text) == (True, "python", "rows = [1]\n")
    assert console.runs
    assert [(c.text, c.output) for c in commands_of(console)] == [("tq a \\\n    b", "out\n"), ("tq c", "")]
    assert (docker.runs, docker.detail) == (False, "needs docker")


def test_a_text_that_differs_behind_many_gaps_is_refused_at_once() -> None:
    shown = "\n".join(f"… step {number}  … of …" for number in range(12))
    printed = shown.replace("…", "some words of some length")
    assert likeness(shown, printed) == {}
    began = time.thread_time()
    assert likeness(shown, printed.replace("step 11", "step 12")) is None
    assert time.thread_time() - began < 1
