"""Flows whose tasks are cancelled or retried: those of a key in order, and the keys in turn, so that none waits for all of
another's. Pure."""

from __future__ import annotations


class Turns:
    def __init__(self) -> None:
        self._lines: dict[str, dict[int, None]] = {}  # numbers of flows, by the keys that opened them

    def __bool__(self) -> bool:
        return bool(self._lines)

    def clear(self) -> None:
        self._lines.clear()

    def add(self, key: str, number: int) -> None:
        """One that is there keeps its place."""
        self._lines.setdefault(key, {})[number] = None

    def next(self) -> tuple[str, int]:
        """The first flow of the key whose turn it is; it is out of the line, and the key is behind the others."""
        key, line = next(iter(self._lines.items()))
        number = next(iter(line))
        del self._lines[key], line[number]
        if line:
            self._lines[key] = line
        return key, number
