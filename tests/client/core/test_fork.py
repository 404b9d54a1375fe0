"""A program that forks while it waits for outcomes: the child drops the waits, in any order of imports."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
import tq.client.core.session as session_module
from tq.client.core.session import ClientSession
from tq.client.tasks.outcomes import OutcomeBox
from tq.common.errors import Unreachable

session = ClientSession.__new__(ClientSession)
box = OutcomeBox()

class Link:
    def abandon_in_child(self):
        box.fail(Unreachable("this process was forked"))

    def stop(self): ...

session._parts, session._links_of_parents, session._link = {}, [], Link()
session_module._sessions.add(session)
pid = os.fork()
if pid == 0:
    os._exit(0)
print(os.waitpid(pid, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_gives_up_what_its_parent_waits_for_and_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == "0\n", done.stderr
