"""Which nodes are connected, and until when those are waited for that hold something and are not. Pure."""

from __future__ import annotations


class Presence:
    def __init__(self) -> None:
        self._sessions: dict[bytes, int] = {}  # open ones of each node
        self._absent: dict[bytes, int] = {}  # monotonic ms at which each has lost what it holds

    def opened(self, node: bytes) -> None:
        self._sessions[node] = self._sessions.get(node, 0) + 1
        self._absent.pop(node, None)

    def closed(self, node: bytes) -> bool:
        """Whether that was its last session."""
        left = self._sessions.get(node, 0) - 1
        if left > 0:
            self._sessions[node] = left
        else:
            self._sessions.pop(node, None)
        return left <= 0

    def is_here(self, node: bytes) -> bool:
        return node in self._sessions

    def wait_for(self, node: bytes, until: int) -> None:
        """It holds something and is not connected."""
        self._absent[node] = until

    def found(self, node: bytes, until: int) -> None:
        """The store says that it holds something: it is waited for unless it is here, or is waited for already."""
        if node not in self._sessions:
            self._absent.setdefault(node, until)

    def gone(self, mono: int) -> list[bytes]:
        """Those that were waited for long enough."""
        return [node for node, moment in self._absent.items() if mono >= moment]

    def forget(self, node: bytes) -> None:
        """It holds nothing any more."""
        del self._absent[node]

    def gives_up_at(self, node: bytes) -> int | None:
        """Monotonic ms; None: it is connected, or holds nothing."""
        return self._absent.get(node)

    def deadlines(self) -> list[int]:
        """When the absent are given up, monotonic ms."""
        return list(self._absent.values())

    def stalled(self, missed_ms: int) -> None:
        """This process stood still: nobody is blamed for that time."""
        for node in self._absent:
            self._absent[node] += missed_ms
