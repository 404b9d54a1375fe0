"""Celery: a chord of so many tasks and one that gets all their results; its settings and workers are those of ``celery_peer``."""

from __future__ import annotations

from celery import chord
from celery_peer import nothing, total


def run(count: int) -> int:
    joined: int = chord(nothing.s(number) for number in range(count))(total.s()).get()
    return joined
