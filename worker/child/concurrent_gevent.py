"""A child process of a gevent pool: ``gevent.monkey.patch_all()`` before anything else is imported, and each function in a greenlet.

What waits in the standard library (sockets, ``time.sleep``, locks, queues) waits for its greenlet alone, and so does what is written in Python
upon it: ``requests``, database drivers. All else is as in ``concurrent.py``: its loop is a greenlet among the others, and coroutines run on it.
"""

from gevent import monkey

if __name__ == "__main__":  # nothing else that imports this module is patched
    monkey.patch_all()

import socket
from asyncio import AbstractEventLoop, SelectorEventLoop

from .concurrent import ConcurrentChildProcess, start
from .fork_guard import ForkGuard
from .greenlets import GreenletJob, GreenletLink, Running, TaskGreenlets
from .start_page import Words


class GeventChildProcess(ConcurrentChildProcess):
    make_job = GreenletJob
    make_threads = TaskGreenlets

    @staticmethod
    def make_loop() -> AbstractEventLoop:
        """asyncio's own: it waits in what gevent has patched."""
        return SelectorEventLoop()

    @staticmethod
    def make_link(relay: int, fork_guard: ForkGuard) -> GreenletLink:
        return GreenletLink(relay, fork_guard)

    @staticmethod
    def open_work(descriptor: int) -> socket.socket:
        """As it is unpatched: reports are written whole, and what is read is there."""
        opened: socket.socket = monkey.get_original("socket", "socket")(fileno=descriptor)
        return opened

    def begin_jobs(self, words: Words) -> None:
        super().begin_jobs(words)
        GreenletJob.running = Running(words)


if __name__ == "__main__":
    start(GeventChildProcess)
