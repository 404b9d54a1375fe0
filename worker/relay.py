"""Calls of an App inside a task: made on the worker's connection, with a client's rights, or kept until there is one."""

from __future__ import annotations

import asyncio
from typing import Any

from ..common.connection import CallerConnection
from ..common.errors import TqError
from ..common.session import Request
from .child_handle import ChildHandle


class Relay:
    def __init__(self) -> None:
        self._waiting: list[tuple[ChildHandle, Request]] = []  # asked while there was no connection

    def ask(self, connection: CallerConnection | None, child: ChildHandle, request: Request) -> None:
        if connection is None or connection.closed.done():
            self._waiting.append((child, request))
            return

        def done(future: asyncio.Future[Any]) -> None:
            error = None if future.cancelled() else future.exception()
            if isinstance(error, TqError):
                child.answer(request.call_id, None, error)
            elif not future.cancelled():
                child.answer(request.call_id, future.result(), None)

        try:
            future = connection.call(
                list(request.target), request.method, *request.args, relayed=True, **request.kwargs
            )
        except TqError as error:
            child.answer(request.call_id, None, error)
        else:
            future.add_done_callback(done)

    def connected(self, connection: CallerConnection) -> None:
        waiting, self._waiting = self._waiting, []
        for child, request in waiting:
            self.ask(connection, child, request)

    def forget(self, child: ChildHandle) -> None:
        """It is dead: nobody waits for the answers."""
        self._waiting = [(one, request) for one, request in self._waiting if one is not child]
