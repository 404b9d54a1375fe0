"""The one task that every worker serves besides its own: it does nothing but say where it ran, for ``tq doctor``."""

from __future__ import annotations

import os
import platform
import socket
from typing import Any, Final

from ..version import VERSION

PROBE: Final = "tq:probe"  # no module can be called so


def probe() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": VERSION,
        "python": platform.python_version(),
    }
