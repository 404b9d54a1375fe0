"""Threads of a load: they act until the block is left, and what one of them raises belongs to the test's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from .trial import SECONDS


class Acting:
    def __init__(self, acts: Iterable[Callable[[], None]]) -> None:
        self.enough = threading.Event()  # an act ends soon after it is set
        self.error: BaseException | None = None
        self._threads = [threading.Thread(target=self._act, args=[act]) for act in acts]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self.enough.set()
        for thread in self._threads:
            thread.join(2 * SECONDS)

    def check(self) -> None:
        """Raises what an act has raised."""
        if self.error is not None:
            raise self.error

    def _act(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # whatever it is, it belongs to the test's thread
            self.error = self.error or error  # the first: others follow from it
