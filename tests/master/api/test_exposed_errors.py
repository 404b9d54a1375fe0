"""What exposed objects of the user's own raise."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import RemoteError

from .test_registry import Counter, expose, module

__all__ = ["module"]  # a fixture


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("kind", [Exception, SystemExit])
def test_what_an_exposed_object_raises_reaches_the_caller_even_if_it_cannot_be_described(
    bench: Any, kind: type[BaseException]
) -> None:
    class Odd(kind):  # type: ignore[misc,valid-type]
        def __str__(self) -> str:
            raise SystemExit(3)

    def factory() -> Counter:
        raise Odd

    with pytest.raises(RemoteError, match=r"Odd: <its message could not be made: SystemExit\(3\)>"):
        expose(bench, factory)()
