"""The README's sixty seconds, as a newcomer copies them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .conftest import MasterFactory, WorkerFactory

README = Path(__file__).parents[2] / "README.md"


def block(start: str) -> str:
    """The code block of the README that begins so."""
    [found] = [
        text
        for text in re.findall(r"```\w+\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        if start in text
    ]
    return found


def test_the_sixty_seconds_of_the_readme_print_what_they_say(
    home: Path, master_factory: MasterFactory, worker_factory: WorkerFactory
) -> None:
    jobs = home / "jobs.py"
    jobs.write_text(block("def square"), "utf-8")
    session = block("$ python jobs.py").splitlines()
    printed = session[session.index("$ python jobs.py") + 1 :]

    master = master_factory(authkey=None)
    worker_factory(tasks=jobs, address=master.address, authkey=master.key("worker"))
    done = subprocess.run(
        [sys.executable, jobs],
        cwd=home,
        env={**os.environ, "TQ_URL": master.url, "TQ_AUTHKEY": master.key("client")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.splitlines(), done.returncode) == (printed, 0), done.stderr
