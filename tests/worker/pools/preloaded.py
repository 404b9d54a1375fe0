"""A module to preload: it knows in which process it was imported."""

from __future__ import annotations

import os

PID = os.getpid()
