"""Jobs in greenlets: how one is started, asked to end and found, in a process that gevent has patched.

A greenlet goes on until it waits, and others run meanwhile. What it is asked to end by is raised where it waits; in code that does not wait
a signal raises it, as on an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any
from weakref import WeakKeyDictionary

import gevent
import greenlet

from .concurrent_job import ConcurrentJob, Interruption
from .connection import ChildLink
from .start_page import HOLDER, Words
from .verdict import interruption_message


class GreenletJob(ConcurrentJob):
    __slots__ = ("greenlet",)
    running: Running  # of the process

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.greenlet: Any = None  # in which the function runs, while it runs

    @property
    def may_be_struck(self) -> bool:
        """Not behind its function either: the greenlet that ran it goes on for a moment, to hand over what it returned."""
        return not self.is_over and (self.task is not None or self.greenlet is not None)

    def interrupt(self, why: Interruption) -> None:
        if self.task is not None:
            super().interrupt(why)
            return
        self.why = why
        gevent.get_hub().loop.run_callback(self._raise)

    def enter_thread(self) -> None:
        if self.why is not None:
            raise self.why
        self.running.begin(self)

    def leave_thread(self) -> None:
        """What was asked for and is not raised yet finds nothing to raise it in."""
        self.greenlet = None

    def frame(self) -> Any:
        """Where it waits."""
        return None if self.greenlet is None else self.greenlet.gr_frame

    def _raise(self) -> None:
        if self.greenlet is not None and self.why is not None:
            self.greenlet.throw(self.why(interruption_message(self.why, self.block.timeout)))


class TaskGreenlets:
    """In place of threads for functions."""

    def run(self, step: Callable[[], None]) -> None:
        gevent.spawn(step)


class GreenletLink(ChildLink):
    """A frame is written by a greenlet of its own: one that is asked to end in the middle of it would leave the rest unsaid."""

    def call(self, target: Sequence[Any], method: str, *args: Any, shard: int = 0) -> Future[Any]:
        future: Future[Any] = gevent.spawn(super().call, target, method, *args, shard=shard).get()
        return future


class Running:
    """The page names the job whose greenlet runs, from switch to switch."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._ordinals: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # of jobs, by greenlet
        greenlet.settrace(self._switched)

    def begin(self, job: GreenletJob) -> None:
        """Its greenlet runs now."""
        job.greenlet = gevent.getcurrent()
        self._ordinals[job.greenlet] = self._words[HOLDER] = job.ordinal

    def _switched(self, event: str, greenlets: tuple[Any, Any]) -> None:
        self._words[HOLDER] = self._ordinals.get(greenlets[1], 0)
