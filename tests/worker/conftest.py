"""Child processes of the tests here: forked from one that has imported what they need, as those of ``tests/cluster`` are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ..cluster import child_template
from ..cluster.child_template import forking, read_at_start

END_SECONDS = 20


@pytest.fixture(scope="package", autouse=True)
def template() -> Iterator[None]:
    """Elsewhere than on Linux libraries of the system may not survive a fork without an exec."""
    if sys.platform != "linux":
        yield
        return
    connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", child_template.__file__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    with pytest.MonkeyPatch.context() as patch, connection:
        patch.setattr(subprocess, "_fork_exec", forking(connection, read_at_start(os.environ)))
        yield
    process.wait(END_SECONDS)
