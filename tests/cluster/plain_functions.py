"""Functions that know nothing of tq, for the standard library's doors. Worker and test find them by the same name."""

from __future__ import annotations

import os
import time
from typing import Any


class Odd(Exception):
    """Made as Exception itself is."""


class Coded(Exception):
    """Made in a way of its own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


class Thing:
    """Cannot travel."""

    def method(self) -> None: ...

    @classmethod
    def make(cls) -> Thing:
        return cls()

    @staticmethod
    def double(number: int) -> int:
        return 2 * number


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> None: ...


def square(x: int = 0, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return x * x


def multiply(x: int, y: int) -> int:
    return x * y


def capture(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def identity(value: Any) -> Any:
    return value


def one_set(_: int) -> set[str]:
    return {"new"}


def fail() -> None:
    raise RuntimeError(123)  # some comment


def fail_with(argument: Any) -> None:
    raise ValueError(argument)


def fail_odd() -> None:
    raise Odd("very", 1)


def fail_coded() -> None:
    raise Coded(7)


def fail_after(seconds: float) -> None:
    time.sleep(seconds)
    raise Odd("late")


def fail_of(number: int) -> int:
    raise ValueError(f"item {number}")


def leave(status: int) -> None:
    raise SystemExit(status)


def a_thing() -> Thing:
    return Thing()


def megabytes(count: int) -> bytes:
    return bytes(count * 1024 * 1024)


def write(path: str, text: str, seconds: float = 0.0) -> None:
    time.sleep(seconds)
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def process_id(_: object = None) -> int:
    return os.getpid()
