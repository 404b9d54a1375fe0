"""Runs once more, with nothing beside them, the few tests that have just failed: ``python tests/again.py``.

Eleven thousand tests run side by side, most with programs, sockets and time limits of their own; one that the machine was
too slow for once must not refuse a day's work, and must not be overlooked either. A test that passes alone is named
at the end as UNSTEADY: that is a fault of the test or a race in what it tests, and the next thing to mend. More than a
few failures are no accident: they are final.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
FEW = 3


def failed_tests(last_failed: Path) -> list[str]:
    """The tests that pytest says failed in its last run.

    Raises:
        SystemExit: none, or what failed is no test: it did not get that far.
    """
    try:
        failed = sorted(json.loads(last_failed.read_text("utf-8")))
    except FileNotFoundError:
        failed = []
    if not failed or not all(
        "::" in test for test in failed
    ):  # a file that cannot be imported, a process of the run
        raise SystemExit("pytest failed before its tests ran: see its error above")
    return failed


def verdict(failed: Sequence[str], status: int) -> str:
    """What is said of tests that ran a second time, which ended with this status of pytest."""
    if status:
        return f"failed again, alone: at least one of {', '.join(failed)}\n"
    return "".join(
        f"UNSTEADY: {test} failed beside other tests and passes alone: mend it next\n" for test in failed
    )


def main() -> int:
    failed = failed_tests(LAST_FAILED)
    if len(failed) > FEW:
        sys.stdout.write(f"{len(failed)} tests failed: too many to be an accident, so none is run again\n")
        return 1
    # `pytest`, unlike `python -m pytest`, leaves the tree off the path.
    status = subprocess.run([Path(sys.executable).with_name("pytest"), "-q", *failed], check=False).returncode
    sys.stdout.write(verdict(failed, status))
    return status


if __name__ == "__main__":
    sys.exit(main())
