"""A key stays within the process that was given it: measured from other processes, by what the kernel shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc to be seen in")
SECRET = "a-secret-that-stands-in-the-first-environment"
SAYS = """
import ctypes, os, sys
from tq.common.runtime.hiding import hide_process, take_variable
{}
print("ready", flush=True)
sys.stdin.read()
"""


def program(lines: str, **variables: str) -> subprocess.Popen[str]:
    """One that has done these lines, and lives until its input is closed."""
    environment = {"PATH": os.environ["PATH"], **variables}
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS.format(lines)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=20)
    assert process.returncode == 0


def shown(process: subprocess.Popen[str]) -> bytes:
    """What the kernel gives of its environment, to root; others are refused once the process is hidden."""
    return Path(f"/proc/{process.pid}/environ").read_bytes()


@pytest.mark.parametrize("others", [{}, {"A": "b" * 100}, {"TQ_AUTHKEY_2": SECRET + "2", "Z": "TQ_AUTHKEY="}])
def test_a_variable_that_was_taken_is_gone_from_what_the_kernel_shows(others: dict[str, str]) -> None:
    """Taken out of ``os.environ`` alone, it would still stand there."""
    left = program("os.environ.pop('TQ_AUTHKEY')", TQ_AUTHKEY=SECRET, **others)
    assert f"TQ_AUTHKEY={SECRET}\0".encode() in shown(left)
    end(left)
    taken = program(
        f"assert take_variable('TQ_AUTHKEY') == {SECRET!r}\n"
        "assert 'TQ_AUTHKEY' not in os.environ\n"
        "assert take_variable('TQ_AUTHKEY') is None",
        TQ_AUTHKEY=SECRET,
        **others,
    )
    assert f"TQ_AUTHKEY={SECRET}\0".encode() not in shown(taken)
    for name, value in others.items():
        assert f"{name}={value}\0".encode() in shown(taken)
    end(taken)


def test_a_hidden_process_cannot_be_dumped_and_its_children_can() -> None:
    end(
        program(
            "import resource, subprocess\n"
            "resource.setrlimit(resource.RLIMIT_CORE, (4096, resource.getrlimit(resource.RLIMIT_CORE)[1]))\n"
            "dumpable = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
            "assert dumpable() == 1\n"
            "hide_process()\n"
            "assert dumpable() == 0\n"
            "assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0\n"
            "from tq.common.runtime.hiding import show_child\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import ctypes, sys, resource; sys.stdin.read();'\n"
            "    'print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)[0])'],\n"
            "    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
            "show_child(child.pid)\n"
            "assert child.communicate('')[0] == '1 4096\\n'"
        )
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes another user")
def test_a_process_of_the_same_user_is_refused_memory_and_environment() -> None:
    become = "os.setgid(12345); os.setuid(12345); "
    open_again = "ctypes.CDLL(None).prctl(4, 1, 0, 0, 0); "  # what becoming another user has closed

    def reads(pid: int) -> str:
        """What another process of that user can open of it."""
        code = (
            f"import os, ctypes\n{become}\n"
            f"for name in ('environ', 'mem', 'maps'):\n"
            f"    try: open('/proc/{pid}/' + name, 'rb').read(0); print(name)\n"
            "    except PermissionError: pass\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.replace("\n", " ").strip()

    plain = program(become + open_again, TQ_AUTHKEY=SECRET)
    assert reads(plain.pid) == "environ mem maps"
    end(plain)
    hidden = program(become + open_again + "hide_process()", TQ_AUTHKEY=SECRET)
    assert reads(hidden.pid) == ""
    end(hidden)
