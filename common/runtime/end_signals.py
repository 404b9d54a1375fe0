"""SIGTERM and SIGINT of a program with an event loop: while it runs, and from the moment on in which it has ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

END_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def on_end_signals(act: Callable[[], None]) -> Callable[[], None]:
    """``act`` is called on the running loop at each of them. Returns what is to be called when there is nothing more to end.

    After that they are ignored: a loop that closes takes its handlers away, and a second signal (of Ctrl-C for the whole process
    group, or of a supervisor that repeats it) would end a program that has done all its work with that signal's status, or a
    traceback.
    """
    loop = asyncio.get_running_loop()
    has_handlers = True
    for number in END_SIGNALS:
        try:
            loop.add_signal_handler(number, act)
        except NotImplementedError:  # Windows has no such thing in asyncio
            has_handlers = False
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))

    def ended() -> None:
        for number in END_SIGNALS:
            if has_handlers:
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    return ended
