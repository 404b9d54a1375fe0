"""A warning for a call that blocks a running event loop, with what to write instead."""

from __future__ import annotations

import sys


def warn_on_loop(instead: str) -> None:
    """Called first in whatever waits. ``instead``: the async twin. Costs a program without asyncio a look-up in a dict."""
    events = sys.modules.get("asyncio.events")
    if events is not None and events._get_running_loop() is not None:
        import warnings

        words = f"this blocks the event loop of this thread, and all that runs in it; write `{instead}`"
        warnings.warn(words, RuntimeWarning, stacklevel=3)
