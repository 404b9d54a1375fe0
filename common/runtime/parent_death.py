"""Processes that do not outlive the one that started them, however that one ends.

A program calls ``die_with`` itself, or is started by this guard, as ``python -m`` starts a module::

    python -m tq.common.runtime.parent_death PARENT MODULE [ARGUMENT]…
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
WATCH_SECONDS: Final = 1.0


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however that dies."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        import threading
        import time

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(WATCH_SECONDS)  # this kernel sends no signal: look now and then
            os._exit(1)

        threading.Thread(target=watch, name="tq-parent-watch", daemon=True).start()
    if os.getppid() != parent:  # it died before the kernel was asked to watch it
        sys.stderr.write(f"process {os.getpid()}: its parent, process {parent}, is gone\n")
        os._exit(1)


def main() -> None:
    parent, module, *arguments = sys.argv[1:]
    die_with(int(parent))
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
