"""Child processes of the tests here: forked from one that has imported what they need, as those of ``tests/cluster`` are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import tq.worker.pools.processes

from ..cluster import child_template
from ..cluster.forked_programs import read_at_start

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
    known = read_at_start(os.environ)
    with pytest.MonkeyPatch.context() as patch, connection:
        forking = child_template.forking(connection, lambda: read_at_start(os.environ) == known)
        patch.setattr(tq.worker.pools.processes, "subprocess", forking)
        yield
    process.wait(END_SECONDS)
