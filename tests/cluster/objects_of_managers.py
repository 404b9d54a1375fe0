"""Classes and functions that the managers of the tests register."""

from __future__ import annotations

import queue
from collections.abc import Iterator


class Foo:
    def __init__(self, start: int = 0) -> None:
        self.total = start

    def add(self, number: int) -> int:
        self.total += number
        return self.total

    def fail(self) -> None:
        raise KeyError("no such thing")

    def fail_oddly(self) -> None:
        raise Odd(1, 2)

    def _hidden(self) -> str:
        return "hidden"


class Odd(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)


class Numbers:
    def up_to(self, number: int) -> Iterator[int]:
        return (one * one for one in range(number))


def squares(number: int) -> Iterator[int]:
    return (one * one for one in range(number))


jobs = queue.LifoQueue[int](2)


def get_jobs() -> queue.LifoQueue[int]:
    return jobs


_settings, _scores = {"a": 1}, [3, 1, 2]


def get_settings() -> dict[str, int]:
    return _settings


def get_scores() -> list[int]:
    return _scores
