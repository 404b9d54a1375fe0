"""A started program is frozen: the collector looks at what came later, and still finds circles in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import gc, weakref
from tq.common.runtime.garbage import THRESHOLDS, freeze_started

class Node: pass

def circle():
    node = Node()
    node.self = node
    return weakref.ref(node)

early = circle()
freeze_started()
assert early() is None, "collected before"
assert gc.get_freeze_count() > 1_000
assert gc.get_threshold() == THRESHOLDS
late = circle()
for _ in range(THRESHOLDS[0] // 1_000 + 1):
    kept = [[] for _ in range(1_000)], globals().get("kept")
assert late() is None, "collected by itself"
"""


def test_what_has_started_is_frozen_and_circles_that_come_later_are_collected() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


SHORT = """
import gc, weakref
from tq.common.runtime.garbage import THRESHOLDS, freeze_loaded

class Node: pass

freeze_loaded()
assert gc.get_freeze_count() > 1_000
assert gc.get_threshold() == THRESHOLDS
late = Node()
late.self, late = late, weakref.ref(late)
gc.collect()
assert late() is None
"""


def test_a_program_that_ends_soon_is_frozen_without_being_collected_first() -> None:
    done = subprocess.run([sys.executable, "-c", SHORT], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


LOADED = """
import gc
from tq.common.runtime.garbage import THRESHOLDS_OF_JOBS, LoadedCode

code = LoadedCode()
{said}
code.freeze()
assert gc.get_freeze_count() > 1_000
assert gc.get_threshold() == {expected}, gc.get_threshold()
assert gc.isenabled() is {enabled}
"""


@pytest.mark.parametrize(
    ("said", "expected", "enabled"),
    [
        ("", "THRESHOLDS_OF_JOBS", True),
        ("gc.set_threshold(77, 7, 7)", "(77, 7, 7)", True),
        ("gc.disable()", "THRESHOLDS_OF_JOBS", False),
    ],
)
def test_loaded_code_is_frozen_and_what_it_says_to_the_collector_stays(
    said: str, expected: str, enabled: bool
) -> None:
    program = LOADED.format(said=said, expected=expected, enabled=enabled)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
