"""A TCP proxy before a program, to cut its connections."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable
from typing import Any

END_SECONDS = 20.0


class Proxy:
    """A TCP proxy on loopback whose connections can be cut, held up and turned away."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._open = True
        self._lock = threading.Lock()
        self._threads = [self._thread(self._accept)]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """End every connection now, in the middle of whatever it carries."""
        with self._lock:
            for one in itertools.chain.from_iterable(self._pairs):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._pairs.clear()

    def turn_away(self) -> None:
        """Cut, and end new connections at once until ``let_in``."""
        self._open = False
        self.cut()

    def let_in(self) -> None:
        self._open = True

    def hold_up(self) -> None:
        """Bytes go no further, connections stay: a network that swallows everything."""
        self._flowing.clear()

    def let_flow(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        self._flowing.set()
        self.turn_away()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(END_SECONDS)

    def _thread(self, target: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.accepted += 1
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            if not self._open:
                raise ConnectionRefusedError
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._pairs.append((near, far))
        left = [near, far]  # the last of the two threads to end closes both
        self._threads += [
            self._thread(self._pump, near, far, left),
            self._thread(self._pump, far, near, left),
        ]

    def _pump(self, source: socket.socket, target: socket.socket, left: list[socket.socket]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flowing.wait()
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            left.pop()
            if not left:
                source.close()
                target.close()
