"""Variants of one proof: ``make test`` runs a sample of them, ``make thorough`` the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

T = TypeVar("T")


def sampled(variants: Iterable[T], sample: Collection[T]) -> list[ParameterSet]:
    """For ``parametrize``. Only for variants that repeat what the sample shows, such as more seeds of the same dice."""
    return [
        pytest.param(one, marks=() if one in sample else pytest.mark.thorough, id=str(one))
        for one in variants
    ]
